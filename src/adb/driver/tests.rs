use std::{
    fs,
    sync::atomic::{AtomicU32, Ordering},
};

mod hang;

use farmhand_actors::{
    domain::{AdbState, Epoch},
    ports::{HierarchyProblem, LaunchExtra},
};

use super::*;
use crate::adb::{
    client::{ServerClient, Transport},
    settings::{AdbDeadlines, AdbLimits, AdbSettings},
    testing::{Answer, FakeServer},
    transports::Seen,
};

mod capture;
mod outage;

/// A farm of one phone behind a scripted server.
struct Farm {
    factory: AdbDriverFactory,
    server: FakeServer,
}

fn serial() -> Serial {
    Serial::parse("phone-1").unwrap()
}

fn lease(token: &str) -> Lease {
    Lease {
        epoch: Epoch(1),
        token: token.into(),
    }
}

fn package(name: &str) -> Package {
    Package::parse(name).unwrap()
}

fn short_deadlines() -> AdbSettings {
    AdbSettings {
        deadlines: AdbDeadlines {
            shell_ms: 60,
            query_ms: 60,
            input_ms: 60,
            dump_ms: 60,
            type_per_char_ms: 0,
            ..AdbDeadlines::default()
        },
        limits: AdbLimits {
            breaker_failures: 3,
            ..AdbLimits::default()
        },
        ..AdbSettings::default()
    }
}

impl Farm {
    async fn start(script: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        Self::with(AdbSettings::default(), script).await
    }

    async fn with(settings: AdbSettings, script: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        Self::named("phone-1", settings, script).await
    }

    /// With another serial at the adb server.
    async fn named(
        adb_serial: &str,
        settings: AdbSettings,
        script: impl Fn(&str) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let server = FakeServer::start(script).await;
        let phones = Arc::new(Phones::new(settings));
        let client = ServerClient::new(&server.address, &phones.settings.limits);
        let transport = Arc::new(Transport::new(client, adb_serial));
        phones.transports.replace(
            0,
            vec![Seen {
                serial: serial(),
                state: AdbState::Device,
                problem: String::new(),
                transport,
            }],
        );
        Self {
            factory: AdbDriverFactory { phones },
            server,
        }
    }

    fn driver(&self) -> Arc<dyn DeviceDriver> {
        self.factory.open(&serial(), None)
    }

    /// All command lines that reached the shell, without the service's name.
    fn lines(&self) -> Vec<String> {
        let requests = self.server.requests();
        requests
            .iter()
            .filter_map(|request| request.strip_prefix("shell,v2,raw:").map(str::to_owned))
            .collect()
    }
}

fn shell(script: impl Fn(&str) -> Answer + Send + Sync + 'static) -> impl Fn(&str) -> Answer + Send + Sync + 'static {
    move |request| match request.strip_prefix("shell,v2,raw:") {
        Some(line) => script(line),
        None => Answer::unexpected(request),
    }
}

#[tokio::test]
async fn a_persons_words_reach_the_phone_as_single_arguments() {
    let farm = Farm::start(shell(|_| Answer::shell("x\n", "", 3))).await;
    let command = ShellCommand {
        words: vec!["echo".into(), "a b; reboot".into(), "it's".into()],
        timeout: None,
    };

    let output = farm.driver().shell(command).await.unwrap();

    assert_eq!((output.stdout.as_slice(), output.code), (b"x\n".as_slice(), 3));
    assert_eq!(farm.lines(), [r"'echo' 'a b; reboot' 'it'\''s'"]);
}

#[tokio::test]
async fn an_acting_call_with_a_lease_compares_the_token_in_the_same_line() {
    let farm = Farm::start(shell(|_| Answer::shell("", "", 0))).await;
    let driver = farm.factory.open(&serial(), Some(&lease("token-7")));

    driver.tap(Point { x: 5, y: -6 }).await.unwrap();
    driver.stop_app(&package("com.x")).await.unwrap();

    let lines = farm.lines();
    assert!(
        lines[0].starts_with("farmhand_held='token-7'; farmhand_found=\"$(cat /data/local/tmp/.farmhand_lease 2>"),
        "{}",
        lines[0]
    );
    assert!(lines[0].ends_with("; input tap 5 -6"), "{}", lines[0]);
    assert!(lines[1].ends_with("; am force-stop 'com.x'"), "{}", lines[1]);
}

#[tokio::test]
async fn a_phone_that_carries_another_token_refuses_and_nothing_is_done() {
    let farm = Farm::start(shell(|_| Answer::shell("", "farmhand:fenced\n", 87))).await;
    let driver = farm.factory.open(&serial(), Some(&lease("old")));

    assert_eq!(driver.key(4).await, Err(DriverError::Fenced { serial: serial() }));
    // Without a lease, code 87 is only the command's own.
    assert!(matches!(farm.driver().key(4).await, Err(DriverError::Refused { .. })));
}

#[tokio::test]
async fn opening_with_another_lease_ends_the_former_drivers_calls() {
    let farm = Farm::start(shell(|_| Answer::Hang)).await;
    let former = farm.factory.open(&serial(), Some(&lease("one")));
    let same = farm.factory.open(&serial(), Some(&lease("one")));
    let calling = tokio::spawn({
        let former = Arc::clone(&former);
        async move { former.tap(Point { x: 1, y: 1 }).await }
    });
    while farm.lines().is_empty() {
        tokio::task::yield_now().await;
    }

    let _latter = farm.factory.open(&serial(), Some(&lease("two")));

    assert_eq!(
        calling.await.unwrap(),
        Err(DriverError::Lost {
            serial: serial(),
            command: "tap"
        })
    );
    assert_eq!(
        same.tap(Point { x: 1, y: 1 }).await,
        Err(DriverError::Fenced { serial: serial() })
    );
    farm.server.wait_until_no_connection_is_open().await;
}

#[tokio::test]
async fn a_hanging_phone_costs_its_deadlines_and_then_rests() {
    let farm = Farm::with(short_deadlines(), shell(|_| Answer::Hang)).await;
    let driver = farm.driver();

    for _ in 0..3 {
        let error = driver.tap(Point { x: 1, y: 1 }).await.unwrap_err();
        assert!(matches!(error, DriverError::TimedOut { command: "tap", .. }), "{error}");
    }

    assert!(matches!(
        driver.tap(Point { x: 1, y: 1 }).await,
        Err(DriverError::Breaker { .. })
    ));
    assert_eq!(farm.lines().len(), 3);
    farm.server.wait_until_no_connection_is_open().await;
}

#[tokio::test]
async fn a_refusing_phone_never_rests() {
    let farm = Farm::with(short_deadlines(), shell(|_| Answer::shell("", "Error: no\n", 1))).await;
    let driver = farm.driver();

    for _ in 0..10 {
        assert!(matches!(driver.key(4).await, Err(DriverError::Refused { .. })));
    }
}

#[tokio::test]
async fn dropping_a_call_closes_its_socket() {
    let farm = Farm::start(shell(|_| Answer::Hang)).await;
    let driver = farm.driver();
    {
        let call = driver.tap(Point { x: 1, y: 1 });
        tokio::pin!(call);
        while farm.lines().is_empty() {
            assert!(futures_util::poll!(&mut call).is_pending());
            tokio::task::yield_now().await;
        }
    }

    farm.server.wait_until_no_connection_is_open().await;
}

#[tokio::test]
async fn a_phone_that_is_not_shown_is_not_called() {
    let farm = Farm::start(shell(|_| Answer::Hang)).await;
    farm.factory.phones.transports.replace(0, vec![]);

    let error = farm.driver().take().await.unwrap_err();

    assert!(
        matches!(
            error,
            DriverError::NotReady {
                state: AdbState::Offline,
                ..
            }
        ),
        "{error}"
    );
    assert!(farm.server.requests().is_empty());
}

#[tokio::test]
async fn taking_names_the_wanted_serial_and_writes_the_token() {
    let farm = Farm::start(shell(|_| Answer::shell("phone-1\nphone-1\n", "", 0))).await;

    farm.factory
        .open(&serial(), Some(&lease("token-7")))
        .take()
        .await
        .unwrap();

    let line = &farm.lines()[0];
    assert!(
        line.starts_with("wanted='phone-1'; or='unnamed'; token='token-7'; own=$(getprop"),
        "{line}"
    );
}

#[tokio::test]
async fn after_a_phone_was_taken_its_boot_is_compared_and_another_one_ends_the_attempt() {
    let farm = Farm::start(shell(|line| {
        if line.contains("wanted=") {
            Answer::shell("phone-1\n\nboot-1\n", "", 0)
        } else {
            Answer::shell("", "farmhand:fenced\nphone-1\ntoken-7\nboot-2\n", 87)
        }
    }))
    .await;
    let driver = farm.factory.open(&serial(), Some(&lease("token-7")));
    driver.take().await.unwrap();

    let restarted = DriverError::Restarted { serial: serial() };
    assert_eq!(driver.tap(Point { x: 1, y: 1 }).await, Err(restarted.clone()));
    assert_eq!(driver.hierarchy().await.unwrap_err(), restarted);
    let held = "farmhand_held='token-7\nboot-1'; farmhand_found=";
    let lines = farm.lines();
    assert!(lines[1..].iter().all(|line| line.starts_with(held)), "{lines:?}");
}

#[tokio::test]
async fn another_phone_behind_the_name_is_told_and_not_touched() {
    let farm = Farm::start(shell(|line| {
        if line.contains("dumpsys battery") {
            Answer::shell("other\n\nPixel\n14\n34\nid\n", "", 0)
        } else {
            Answer::shell("other\n\n", "", 86)
        }
    }))
    .await;
    let wrong = DriverError::WrongDevice {
        wanted: serial(),
        found: "other".into(),
    };

    assert_eq!(farm.driver().take().await, Err(wrong.clone()));
    assert_eq!(farm.driver().info().await, Err(wrong));
}

#[tokio::test]
async fn a_dump_that_was_killed_is_tried_again() {
    let tries = AtomicU32::new(0);
    let farm = Farm::start(shell(move |_| match tries.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::shell("", "", 137),
        _ => Answer::shell(
            "<hierarchy rotation=\"0\"><node text=\"a\"/></hierarchy>",
            "UI hierchary dumped\n",
            0,
        ),
    }))
    .await;

    let tree = farm.driver().hierarchy().await.unwrap();

    assert_eq!(tree.nodes.len(), 1);
    assert_eq!(farm.lines().len(), 2);
}

#[tokio::test]
async fn a_screen_that_went_off_is_woken_for_a_dump() {
    let woken = Arc::new(AtomicU32::new(0));
    let farm = Farm::start(shell(move |line| {
        if line.ends_with("input keyevent 224") {
            woken.fetch_add(1, Ordering::SeqCst);
            Answer::shell("", "", 0)
        } else if woken.load(Ordering::SeqCst) == 0 {
            Answer::shell("", "ERROR: null root node returned by UiTestAutomationBridge.\n", 0)
        } else {
            Answer::shell("<hierarchy><node/></hierarchy>", "", 0)
        }
    }))
    .await;

    assert_eq!(farm.driver().hierarchy().await.unwrap().nodes.len(), 1);
}

#[tokio::test]
async fn a_screen_that_does_not_rest_is_told_at_once() {
    let farm = Farm::start(shell(|_| Answer::shell("", "ERROR: could not get idle state.\n", 0))).await;

    let error = farm.driver().hierarchy().await.unwrap_err();

    assert_eq!(
        error,
        DriverError::Hierarchy {
            serial: serial(),
            problem: HierarchyProblem::NotIdle
        }
    );
    assert_eq!(farm.lines().len(), 1);
}

#[tokio::test]
async fn a_dump_over_its_cap_is_a_typed_error_and_not_the_phones_fault() {
    let settings = AdbSettings {
        limits: AdbLimits {
            hierarchy_bytes: 100,
            breaker_failures: 1,
            ..AdbLimits::default()
        },
        ..AdbSettings::default()
    };
    let farm = Farm::with(settings, shell(|_| Answer::shell(&"x".repeat(101), "", 0))).await;

    for _ in 0..2 {
        let error = farm.driver().hierarchy().await.unwrap_err();
        let problem = HierarchyProblem::TooLarge {
            limit: 100,
            unit: "bytes",
        };
        assert_eq!(
            error,
            DriverError::Hierarchy {
                serial: serial(),
                problem
            }
        );
    }
}

#[tokio::test]
async fn a_picture_is_read_from_the_raw_bytes() {
    let farm = Farm::start(shell(|_| {
        let bytes: Vec<u8> = [2u32, 1, 1, 1]
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .chain(0..8)
            .collect();
        Answer::shell_bytes(&bytes, b"[Warning] Multiple displays were found", 0)
    }))
    .await;

    let picture = farm.driver().screenshot().await.unwrap();

    assert_eq!((picture.width, picture.height, picture.rgba), (2, 1, (0..8).collect()));
}

#[tokio::test]
async fn plain_text_is_typed_by_one_command() {
    let farm = Farm::start(shell(|_| Answer::shell("", "", 0))).await;

    farm.driver().type_text("it's 100%s $(x)").await.unwrap();
    farm.driver().type_text("").await.unwrap();

    assert_eq!(farm.lines(), [r"input text 'it'\''s 100%' && input text 's $(x)'"]);
}

#[tokio::test]
async fn other_text_is_typed_by_the_input_method_and_the_own_one_put_back() {
    let asleep = AtomicU32::new(2);
    let farm = Farm::start(shell(move |line| {
        if line.contains("ime list") {
            Answer::shell("com.own/.Ime\n", "", 0)
        } else if line.contains("am broadcast") {
            let sleeps = asleep
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                .is_ok();
            let result = if sleeps {
                "result=0\n"
            } else {
                "result=-1, data=\"success\"\n"
            };
            Answer::shell(
                &format!("Broadcasting: Intent {{ }}\nBroadcast completed: {result}"),
                "",
                0,
            )
        } else {
            Answer::shell("", "", 0)
        }
    }))
    .await;

    farm.driver().type_text("zażółć\n").await.unwrap();

    let lines = farm.lines();
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.contains("--es text 'emHFvMOzxYLEhwo='"))
            .count(),
        3
    );
    assert_eq!(lines.last().unwrap(), "ime set 'com.own/.Ime'");
}

#[tokio::test]
async fn text_that_cannot_be_typed_is_refused_before_anything_is_typed() {
    let farm = Farm::start(shell(|line| {
        assert!(line.contains("ime list"), "{line}");
        Answer::shell("farmhand:missing\n", "", 0)
    }))
    .await;

    for text in ["😀", "a\0b", &"x".repeat(11_001), "line\nbreak"] {
        let error = farm.driver().type_text(text).await.unwrap_err();
        assert!(matches!(error, DriverError::Untypable { .. }), "{error}");
    }
    assert_eq!(farm.lines().len(), 2);
}

#[tokio::test]
async fn an_app_is_started_by_its_launcher_activity() {
    let farm = Farm::start(shell(|line| {
        if line.starts_with("pm path") {
            Answer::shell(
                "package:/data/app/x.apk\npriority=0 preferredOrder=0\ncom.x/.Main\n",
                "",
                0,
            )
        } else {
            Answer::shell("Starting: Intent { }\nStatus: ok\nComplete\n", "", 0)
        }
    }))
    .await;
    let extras = vec![("k".to_owned(), LaunchExtra::Bool(true))];

    farm.driver()
        .launch_app(LaunchApp {
            package: package("com.x"),
            stop_first: true,
            extras,
        })
        .await
        .unwrap();

    assert_eq!(
        farm.lines()[1],
        "am start -W -S -a android.intent.action.MAIN -c android.intent.category.LAUNCHER -n 'com.x/.Main' --ez 'k' 'true'"
    );
}

#[tokio::test]
async fn a_phone_that_takes_no_doubles_is_given_a_float() {
    let farm = Farm::start(shell(|line| {
        if line.starts_with("pm path") {
            Answer::shell("package:/data/app/x.apk\ncom.x/.Main\n", "", 0)
        } else if line.contains("--ed") {
            let problem = "Exception occurred while executing 'start':\njava.lang.IllegalArgumentException: Unknown option: --ed\n";
            Answer::shell("", problem, 255)
        } else {
            Answer::shell("Starting: Intent { }\nStatus: ok\nComplete\n", "", 0)
        }
    }))
    .await;

    farm.driver()
        .launch_app(LaunchApp {
            package: package("com.x"),
            stop_first: false,
            extras: vec![("share".to_owned(), LaunchExtra::Decimal(1.5))],
        })
        .await
        .unwrap();

    let sent: Vec<_> = farm
        .lines()
        .iter()
        .skip(1)
        .map(|line| line.rsplit("'com.x/.Main'").next().unwrap().to_owned())
        .collect();
    assert_eq!(sent, [" --ed 'share' '1.5'", " --ef 'share' '1.5'"]);
}

#[tokio::test]
async fn an_app_that_is_not_there_is_missing_however_it_is_asked_for() {
    let farm = Farm::start(shell(|line| {
        if line.starts_with("am start") {
            Answer::shell(
                "Starting: Intent { }\nError: Activity not started, unable to resolve Intent { }\n",
                "",
                1,
            )
        } else if line.starts_with("pm clear") {
            Answer::shell("", "Failed\n", 1)
        } else {
            Answer::shell("No activity found\n", "", 0)
        }
    }))
    .await;
    let app = package("com.x");
    let missing = DriverError::AppMissing {
        serial: serial(),
        package: app.clone(),
    };
    let launch = LaunchApp {
        package: app.clone(),
        stop_first: false,
        extras: vec![],
    };

    assert_eq!(farm.driver().launch_app(launch).await, Err(missing.clone()));
    assert_eq!(
        farm.driver().open_link("https://example.com", Some(&app)).await,
        Err(missing.clone())
    );
    assert_eq!(farm.driver().clear_app(&app).await, Err(missing));
    assert_eq!(farm.driver().has_app(&app).await, Ok(false));
    assert!(matches!(
        farm.driver().open_link("x:y", None).await,
        Err(DriverError::Refused { .. })
    ));
}

#[tokio::test]
async fn an_app_that_goes_away_while_it_is_being_started_is_missing_and_no_fault_of_the_phone() {
    let asked = AtomicU32::new(0);
    let farm = Farm::start(shell(move |line| {
        if line.starts_with("am start") {
            Answer::shell(
                "Error type 3\nError: Activity class {com.x/com.x.Y} does not exist.\n",
                "",
                1,
            )
        } else if asked.fetch_add(1, Ordering::Relaxed) == 0 {
            Answer::shell("package:/data/app/com.x/base.apk\ncom.x/.Y\n", "", 0)
        } else {
            Answer::shell("", "", 1)
        }
    }))
    .await;
    let launch = LaunchApp {
        package: package("com.x"),
        stop_first: true,
        extras: vec![],
    };

    let missing = DriverError::AppMissing {
        serial: serial(),
        package: package("com.x"),
    };
    assert_eq!(farm.driver().launch_app(launch).await, Err(missing));
}

fn files(answer: Answer) -> impl Fn(&str) -> Answer + Send + Sync + 'static {
    move |request| match request {
        "sync:" => answer.clone(),
        line if line.contains("content query") => Answer::shell(
            "Row: 0 _id=31, _data=/storage/emulated/0/Movies/farmhand/a.mp4\n",
            "",
            0,
        ),
        line if line.contains("stat -c") => Answer::shell("200000\n", "", 0),
        line if line.starts_with("shell,") => Answer::shell("Success\n", "", 0),
        other => Answer::unexpected(other),
    }
}

#[tokio::test]
async fn a_pushed_file_gets_its_name_when_it_is_whole_and_the_lease_holds() {
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("a b.bin");
    fs::write(&local, vec![7; 200_000]).unwrap();
    let farm = Farm::start(files(Answer::TakeFile)).await;
    let driver = farm.factory.open(&serial(), Some(&lease("t")));

    driver.push(&local, "/sdcard/x/it's.bin").await.unwrap();

    assert_eq!(farm.server.asked("SEND /sdcard/x/.farmhand-0.part,0777 200000"), 1);
    let line = farm.lines().pop().unwrap();
    assert!(
        line.contains(r"to='/sdcard/x/it'\''s.bin'; name='a b.bin'; part='/sdcard/x/.farmhand-0.part'"),
        "{line}"
    );
    assert!(line.starts_with("farmhand_held='t'"), "{line}");
    farm.server.wait_until_no_connection_is_open().await;
}

#[tokio::test]
async fn a_phone_that_refuses_a_file_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("a");
    fs::write(&local, b"x").unwrap();
    let farm = Farm::start(files(Answer::RefuseFile(
        "couldn't create file: Permission denied".into(),
    )))
    .await;

    let error = farm.driver().push(&local, "/system/a").await.unwrap_err();

    assert!(
        error.to_string().ends_with("couldn't create file: Permission denied"),
        "{error}"
    );
    let missing = farm
        .driver()
        .push(&folder.path().join("none"), "/sdcard/a")
        .await
        .unwrap_err();
    assert!(matches!(missing, DriverError::HostFile { .. }), "{missing}");
}

#[tokio::test]
async fn a_copy_that_hangs_ends_with_its_deadline_and_its_thread() {
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("a");
    fs::write(&local, vec![0; 100_000]).unwrap();
    let deadlines = AdbDeadlines {
        copy_ms: 50,
        copy_per_mib_ms: 1,
        ..AdbDeadlines::default()
    };
    let settings = AdbSettings {
        deadlines,
        ..AdbSettings::default()
    };
    let farm = Farm::named("hanging", settings, files(Answer::Hang)).await;
    let driver = farm.driver();
    let pushing = tokio::spawn(async move { driver.push(&local, "/sdcard/a").await });
    wait_until_threads_copy(true).await;

    let error = pushing.await.unwrap().unwrap_err();

    assert!(
        matches!(error, DriverError::TimedOut { command: "push", .. }),
        "{error}"
    );
    farm.server.wait_until_no_connection_is_open().await;
    wait_until_threads_copy(false).await;
}

#[tokio::test]
async fn a_copy_whose_phone_goes_away_ends_at_once() {
    const LARGER_THAN_ALL_BUFFERS: usize = 32 * 1024 * 1024;
    let folder = tempfile::tempdir().unwrap();
    let (small, large) = (folder.path().join("small"), folder.path().join("large"));
    fs::write(&small, b"x").unwrap();
    fs::write(&large, vec![0; LARGER_THAN_ALL_BUFFERS]).unwrap();
    for answer in [Answer::raw(b""), Answer::HangUp] {
        let farm = Farm::start(files(answer)).await;
        for local in [&small, &large] {
            let ended = farm.driver().push(local, "/sdcard/a").await;

            assert!(
                matches!(ended, Err(DriverError::Lost { .. } | DriverError::Refused { .. })),
                "{ended:?}"
            );
        }
        farm.server.wait_until_no_connection_is_open().await;
    }
}

/// Threads of copies carry the serial at the adb server.
async fn wait_until_threads_copy(wanted: bool) {
    let copying = || {
        let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
        let mut names = threads.filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok());
        names.any(|name| name.starts_with("adb hanging"))
    };
    if fs::read_dir("/proc/self/task").is_err() {
        println!("skipped: this system has no /proc to see threads in");
        return;
    }
    let seen = async {
        while copying() != wanted {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), seen)
        .await
        .expect("a thread of a cancelled copy lives on");
}

#[tokio::test]
async fn a_pulled_file_has_its_name_only_when_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("a");
    let bytes: Vec<u8> = (0..200_000u32).map(|n| n.to_le_bytes()[0]).collect();
    let farm = Farm::start(files(Answer::GiveFile(bytes.clone()))).await;

    farm.driver().pull("/sdcard/a", &local).await.unwrap();

    assert_eq!(fs::read(&local).unwrap(), bytes);
    let broken = Farm::start(files(Answer::HangUp)).await;
    assert!(
        broken
            .driver()
            .pull("/sdcard/a", &folder.path().join("b"))
            .await
            .is_err()
    );
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert_eq!(left, ["a"]);
}

#[tokio::test]
async fn media_is_added_when_the_gallery_shows_it() {
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("v.mp4");
    fs::write(&local, b"x").unwrap();
    let farm = Farm::start(files(Answer::TakeFile)).await;

    let path = farm.driver().add_media(&local, "a.mp4").await.unwrap();

    assert_eq!(path, "/sdcard/Movies/farmhand/a.mp4");
    let lines = farm.lines();
    assert!(
        lines[0].starts_with("path='/sdcard/Movies/farmhand/a.mp4'; [ -e"),
        "{}",
        lines[0]
    );
    assert!(
        lines[2].starts_with("touch '/sdcard/Movies/farmhand/a.mp4' && am broadcast"),
        "{}",
        lines[2]
    );
    assert!(
        lines[3].ends_with("--where '_display_name='\\''a.mp4'\\'''"),
        "{}",
        lines[3]
    );
}

#[tokio::test]
async fn an_apk_is_installed_from_the_phone_and_removed_there() {
    let folder = tempfile::tempdir().unwrap();
    let apk = folder.path().join("a.apk");
    fs::write(&apk, b"x").unwrap();
    let farm = Farm::start(files(Answer::TakeFile)).await;

    farm.driver().install(&apk).await.unwrap();

    assert!(
        farm.lines()[0].starts_with("apk='/data/local/tmp/farmhand-0.apk'; pm install -r -t"),
        "{:?}",
        farm.lines()
    );
}

#[tokio::test]
async fn a_server_has_so_many_sockets_and_so_many_phones_being_asked_about_themselves_at_most() {
    const MORE: usize = 9;
    for (calls_per_server, setups) in [(2, MORE), (MORE, 2)] {
        let mut settings = short_deadlines();
        settings.limits = AdbLimits {
            calls_per_phone: MORE,
            calls_per_server,
            setups,
            ..settings.limits
        };
        let farm = Farm::with(settings, shell(|_| Answer::Hang)).await;
        let driver = farm.driver();

        let ended = futures_util::future::join_all((0..MORE).map(|_| driver.info())).await;

        assert!(ended.iter().all(Result::is_err));
        let most = farm.server.most_open();
        // One more of each stands for the moment between our close and the server's noticing it.
        assert!((2..=4).contains(&most), "{most} connections at once");
    }
}

#[tokio::test]
async fn a_phone_has_two_sockets_at_most() {
    let farm = Farm::with(short_deadlines(), shell(|_| Answer::Hang)).await;
    let driver = farm.driver();

    let calls = (0..6).map(|_| driver.foreground_app());
    let ended = futures_util::future::join_all(calls).await;

    assert!(ended.iter().all(Result::is_err));
    let most = farm.server.most_open();
    // One more stands for the moment between our close and the server's noticing it.
    assert!((2..=4).contains(&most), "{most} connections at once");
}
