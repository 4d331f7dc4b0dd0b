//! `dumpsys window`: which window has the focus, and whether the keyguard shows.

use crate::commands::{Programs, stable_id};

/// `ActivityRecord`s are in this task, as the report calls it.
pub(super) const TASK: &str = "t9";

/// The whole report, or its part `windows` or `displays` (`d`).
pub(super) fn report(phone: &Programs, words: &[&str]) -> String {
    let part = words.iter().find(|word| !word.starts_with('-')).copied();
    match part {
        Some("policy" | "p") => policy(phone),
        Some("displays" | "d") => displays(phone),
        // The focus moved from `windows` to `displays` with Android 10; all phones here are newer.
        Some("windows" | "w") => windows(phone),
        _ => format!("{}{}{}", policy(phone), displays(phone), windows(phone)),
    }
}

/// `Window{41b37570 u0 pkg/pkg.Cls}` and `ActivityRecord{14d88c3 u0 pkg/.Cls t9}` of what has the focus.
pub(super) fn focused_records(phone: &Programs) -> Option<(String, String)> {
    let (package, component) = phone.handset.focus()?;
    let (token, record) = (
        stable_id(&component, 0..0x0fff_ffff),
        stable_id(&package, 0..0x0fff_ffff),
    );
    let window = match component.split_once('/') {
        Some((package, class)) if class.starts_with('.') => format!("{package}/{package}{class}"),
        // Windows that are no activities (the shade, a dialog) have a title instead.
        _ => component.clone(),
    };
    Some((
        format!("Window{{{token:x} u0 {window}}}"),
        format!("ActivityRecord{{{record:x} u0 {component} {TASK}}}"),
    ))
}

fn displays(phone: &Programs) -> String {
    let (width, height) = phone.handset.screen_size();
    let (window, record) = focused_records(phone).unwrap_or(("null".to_owned(), "null".to_owned()));
    format!(
        "WINDOW MANAGER DISPLAY CONTENTS (dumpsys window displays)\n  Display: mDisplayId=0\n    init={width}x{height} \
         {density}dpi cur={width}x{height} app={width}x{height}\n  mCurrentFocus={window}\n  mFocusedApp={record}\n\n",
        density = phone.handset.density()
    )
}

fn policy(phone: &Programs) -> String {
    let power = phone.handset.power();
    let state = if power.awake {
        "SCREEN_STATE_ON"
    } else {
        "SCREEN_STATE_OFF"
    };
    format!(
        "WINDOW MANAGER POLICY STATE (dumpsys window policy)\n    mAwake={} mScreenOnFully={}\n    screenState={state}\n    \
         KeyguardServiceDelegate\n      showing={locked}\n    mIsShowing={locked}\n    isKeyguardShowing={locked}\n    \
         mShowingLockscreen={locked} mShowingDream=false mDreamingLockscreen=false\n\n",
        power.awake,
        power.awake,
        locked = power.locked
    )
}

fn windows(phone: &Programs) -> String {
    let mut text = "WINDOW MANAGER WINDOWS (dumpsys window windows)\n".to_owned();
    if let Some((window, _)) = focused_records(phone) {
        let secure = if phone.handset.is_secure() { "SECURE " } else { "" };
        text.push_str(&format!(
            "  Window #0 {window}:\n    mDisplayId=0 mBaseLayer=21000 isOnScreen=true isVisible=true\n    \
             mAttrs={{(0,0)(fillxfill) sim={{adjust=resize}} ty=BASE_APPLICATION wanim=0x10302f8\n      \
             fl=LAYOUT_IN_SCREEN {secure}SPLIT_TOUCH HARDWARE_ACCELERATED}}\n"
        ));
    }
    let method = phone.handset.input_method();
    text.push_str(&format!(
        "  mInputMethodTarget in display# 0 null\n  mInputMethod={method}\n"
    ));
    text
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Bench, stdout};

    #[tokio::test]
    async fn the_focus_is_in_the_whole_report_and_in_displays() {
        let bench = Bench::new();
        bench.run("am start -n com.example.app/.Main").await;

        for command in ["dumpsys window", "dumpsys window displays", "dumpsys window d"] {
            let text = stdout(&bench.run(command).await);
            let line = text
                .lines()
                .find(|line| line.starts_with("  mCurrentFocus=Window{"))
                .expect(command);
            assert!(line.ends_with(" u0 com.example.app/com.example.app.Main}"), "{line}");
            let line = text
                .lines()
                .find(|line| line.starts_with("  mFocusedApp=ActivityRecord{"))
                .expect(command);
            assert!(line.ends_with(" u0 com.example.app/.Main t9}"), "{line}");
        }
        assert!(!stdout(&bench.run("dumpsys window windows").await).contains("mCurrentFocus"));
    }

    #[tokio::test]
    async fn without_focus_the_report_says_null() {
        let bench = Bench::new();
        bench.handset.lose_focus();

        let text = stdout(&bench.run("dumpsys window").await);

        assert!(text.contains("  mCurrentFocus=null\n  mFocusedApp=null\n"));
    }
}
