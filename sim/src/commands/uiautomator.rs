//! `uiautomator dump` (`cmds/uiautomator/.../DumpCommand.java`).

use super::{
    Programs,
    hierarchy::{Dumper, to_xml},
    reply::{Answer, failed, printed, printed_failure},
};
use crate::{agent::UiAutomationTaken, handset::Dump};

/// Where a dump goes when nothing is said.
const DEFAULT_PATH: &str = "/sdcard/window_dump.xml";
const USAGE: &str = "Usage: uiautomator <subcommand> [options]\n\nAvailable subcommands:\n\n\
    help: displays help message\n\nrunjava, runtest: executes UI automation tests\n\n\
    dump: creates an XML dump of current UI hierarchy\n    dump [--verbose][file]\n      \
    [--compressed]: dumps compressed layout information.\n      \
    [file]: the location where the dumped XML should be stored, default is\n      /sdcard/window_dump.xml\n\n\
    events: prints out accessibility events until terminated\n\n";

/// `SIGKILL`: Android kills the process whose main thread threw.
const KILLED: u8 = 137;

/// Runs `uiautomator`.
pub(super) async fn run(phone: &Programs, arguments: &[String]) -> Answer {
    match arguments.split_first().map(|(name, rest)| (name.as_str(), rest)) {
        Some(("dump", rest)) => dump(phone, rest).await,
        Some(("events" | "runtest" | "runjava", _)) => Ok(failed(
            1,
            "java.lang.UnsupportedOperationException: this phone runs no UI automation tests\n",
        )),
        Some(("help", _)) => Ok(printed(USAGE)),
        _ => Ok(printed_failure(1, USAGE)),
    }
}

async fn dump(phone: &Programs, arguments: &[String]) -> Answer {
    let compressed = arguments.iter().any(|argument| argument == "--compressed");
    let path = arguments.iter().find(|argument| !argument.starts_with('-'));
    let path = path.map_or(DEFAULT_PATH, String::as_str);
    // Only one process may hold UiAutomation; the other one throws and is killed without a word.
    let _held = match phone.agent.ui_automation().take(&phone.handset.boot_id()) {
        Ok(held) => held,
        Err(UiAutomationTaken) => return Ok(failed(KILLED, "")),
    };
    tokio::time::sleep(phone.times.dump).await;
    let xml = match phone.handset.dump() {
        Dump::NotIdle => return Ok(failed(0, "ERROR: could not get idle state.\n")),
        Dump::NoRoot => {
            return Ok(failed(0, "ERROR: null root node returned by UiTestAutomationBridge.\n"));
        }
        Dump::Garbage(bytes) => bytes,
        Dump::Views(roots) => to_xml(
            &roots,
            if compressed {
                Dumper::Compressed
            } else {
                Dumper::Platform
            },
        )
        .into_bytes(),
    };
    let mut stdout = Vec::new();
    if path == "/dev/tty" || path == "/dev/stdout" {
        stdout.extend(xml);
    } else if let Err(error) = phone.files.write(path, xml) {
        // The program prints its line all the same; only the file is not there.
        tracing::debug!(path, %error, "dump not written");
    }
    stdout.extend(format!("UI hierchary dumped to: {path}\n").into_bytes());
    Ok(printed(stdout))
}

#[cfg(test)]
mod tests {
    use crate::{
        commands::testing::{Bench, stderr, stdout},
        handset::{Dump, View},
    };

    #[tokio::test]
    async fn a_dump_writes_the_hierarchy_and_says_so_with_its_typo() {
        let bench = Bench::new();

        let completion = bench.run("uiautomator dump").await;

        assert_eq!(stdout(&completion), "UI hierchary dumped to: /sdcard/window_dump.xml\n");
        let xml = bench.file("/sdcard/window_dump.xml");
        assert!(xml.starts_with("<?xml version='1.0' encoding='UTF-8' standalone='yes' ?><hierarchy rotation=\"0\">"));
        assert!(xml.contains("text=\"Hello\""));
    }

    #[tokio::test]
    async fn a_dump_to_the_terminal_runs_into_its_message() {
        let completion = Bench::new().run("uiautomator dump /dev/tty").await;

        assert!(stdout(&completion).ends_with("</hierarchy>UI hierchary dumped to: /dev/tty\n"));
    }

    #[tokio::test]
    async fn errors_go_to_stderr_with_exit_0_and_leave_the_old_file() {
        let bench = Bench::new();
        bench.run("uiautomator dump /sdcard/w.xml").await;
        let cases = [
            (Dump::NotIdle, "ERROR: could not get idle state.\n"),
            (
                Dump::NoRoot,
                "ERROR: null root node returned by UiTestAutomationBridge.\n",
            ),
        ];
        for (dump, expected) in cases {
            bench.handset.show(dump);
            let completion = bench.run("uiautomator dump /sdcard/w.xml").await;
            assert_eq!(
                (stdout(&completion), stderr(&completion), completion.code),
                (String::new(), expected.into(), 0)
            );
        }
        assert!(bench.file("/sdcard/w.xml").contains("text=\"Hello\""));
    }

    #[tokio::test]
    async fn an_unwritable_path_gets_the_same_line() {
        let bench = Bench::new();

        let completion = bench.run("uiautomator dump /system/w.xml").await;

        assert_eq!(stdout(&completion), "UI hierchary dumped to: /system/w.xml\n");
        assert!(bench.files.read("/system/w.xml").is_err());
    }

    #[tokio::test]
    async fn of_two_dumps_at_once_one_is_killed() {
        let bench = Bench::new();

        let (first, second) = tokio::join!(
            bench.run("uiautomator dump"),
            bench.run("uiautomator dump /sdcard/2.xml")
        );

        assert_eq!((first.code, second.code), (0, 137));
        assert_eq!((stdout(&second), stderr(&second)), Default::default());
        assert_eq!(bench.run("uiautomator dump").await.code, 0);
    }

    #[tokio::test]
    async fn garbage_is_written_as_it_is() {
        let bench = Bench::new();
        bench.handset.show(Dump::Garbage(vec![0xff, b'<', 0]));

        bench.run("uiautomator dump /sdcard/g.xml").await;

        assert_eq!(
            bench.files.read("/sdcard/g.xml").expect("a file").as_ref(),
            [0xff, b'<', 0]
        );
    }

    #[tokio::test]
    async fn a_compressed_dump_leaves_out_bare_layouts() {
        let bench = Bench::new();
        let leaf = View {
            text: "leaf".into(),
            class: "android.widget.TextView".into(),
            ..View::default()
        };
        let layout = View {
            class: "android.widget.FrameLayout".into(),
            children: vec![leaf],
            ..View::default()
        };
        bench.handset.show(Dump::Views(vec![View {
            children: vec![layout],
            ..View::default()
        }]));

        bench.run("uiautomator dump --compressed /sdcard/c.xml").await;

        let xml = bench.file("/sdcard/c.xml");
        assert!(xml.contains("leaf") && !xml.contains("FrameLayout"), "{xml}");
    }
}
