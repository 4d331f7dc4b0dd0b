//! `dumpsys activity`: the activity in front.

use super::window::focused_records;
use crate::commands::{Programs, process_id};

/// The report `activities`, `top`, or a short whole.
pub(super) fn report(phone: &Programs, words: &[&str]) -> String {
    match words.first().copied() {
        Some("activities" | "a" | "-a") | None => activities(phone),
        Some("top") => top(phone),
        Some("recents" | "processes" | "services" | "broadcasts" | "providers" | "intents" | "oom") => {
            format!(
                "ACTIVITY MANAGER {} (dumpsys activity)\n  (nothing)\n",
                words.first().unwrap_or(&"").to_uppercase()
            )
        }
        Some(other) => format!("No services match: {other}\nUse -h for help.\n"),
    }
}

fn activities(phone: &Programs) -> String {
    let mut text =
        "ACTIVITY MANAGER ACTIVITIES (dumpsys activity activities)\nDisplay #0 (activities from top to bottom):\n"
            .to_owned();
    let Some((_, record)) = focused_records(phone) else {
        return text + "  (nothing)\n";
    };
    if phone.sdk() >= 31 {
        text.push_str(&format!(
            "    topResumedActivity={record}\n  ResumedActivity: {record}\n"
        ));
    } else {
        text.push_str(&format!(
            "    mResumedActivity: {record}\n  mLastPausedActivity: null\n"
        ));
    }
    text
}

fn top(phone: &Programs) -> String {
    let Some((package, component)) = phone.handset.focus() else {
        return "TASK null id=9\n".to_owned();
    };
    let pid = process_id(&package);
    format!(
        "TASK {package} id=9 userId=0\n  ACTIVITY {component} {token:x} pid={pid}\n    Local Activity {token:x} State:\n      \
         mResumed=true mStopped=false mFinished=false\n",
        token = pid * 7_919
    )
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Bench, stdout};

    #[tokio::test]
    async fn the_activity_in_front_is_named() {
        let bench = Bench::new();
        bench.run("am start -n com.example.app/.Main").await;

        let activities = stdout(&bench.run("dumpsys activity activities").await);
        assert!(
            activities.contains("    topResumedActivity=ActivityRecord{"),
            "{activities}"
        );
        assert!(activities.contains(" u0 com.example.app/.Main t9}\n"));
        assert!(stdout(&bench.run("dumpsys activity top").await).contains("  ACTIVITY com.example.app/.Main "));
    }
}
