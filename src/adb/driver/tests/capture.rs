//! Pictures for many, black pictures, heartbeats.

use farmhand_actors::domain::ScreenContent;

use super::*;

/// A raw picture of 4 x 100 pixels of one shade.
fn raw(shade: u8) -> Vec<u8> {
    let header = [4u32, 100, 1, 1].into_iter().flat_map(u32::to_le_bytes);
    header.chain([shade, shade, shade, 255].repeat(400)).collect()
}

fn captures(farm: &Farm) -> usize {
    farm.server.asked("shell,v2,raw:screencap") + farm.server.asked("shell,v2,raw:screencap -p")
}

/// A phone whose screen is black, in this state.
async fn black_phone(state: &'static str) -> Farm {
    Farm::start(shell(move |line| {
        if line.contains("dumpsys") {
            Answer::shell(state, "", 0)
        } else {
            Answer::shell_bytes(&raw(0), b"", 0)
        }
    }))
    .await
}

#[tokio::test]
async fn one_capture_serves_all_who_ask_at_the_same_time() {
    let mut settings = AdbSettings::default();
    settings.screens.max_age_ms = 60_000;
    let farm = Farm::with(settings, shell(|_| Answer::shell_bytes(&raw(9), b"", 0))).await;

    let drivers: Vec<_> = (0..20).map(|_| farm.driver()).collect();
    let asked = drivers.iter().map(|driver| driver.capture(Freshness::Shared));
    let given = futures_util::future::join_all(asked).await;

    let first = given[0].as_ref().unwrap();
    assert!(given.iter().all(|other| Arc::ptr_eq(other.as_ref().unwrap(), first)));
    assert_eq!(captures(&farm), 1);
    assert_eq!(first.content, ScreenContent::Visible);
}

#[tokio::test]
async fn evidence_is_always_a_new_picture() {
    let mut settings = AdbSettings::default();
    settings.screens.max_age_ms = 60_000;
    let farm = Farm::with(
        settings,
        shell(|line| match line {
            "screencap -p" => Answer::shell("", "no PNG here", 1),
            _ => Answer::shell_bytes(&raw(9), b"", 0),
        }),
    )
    .await;
    let driver = farm.driver();

    driver.capture(Freshness::Shared).await.unwrap();
    driver.capture(Freshness::Shared).await.unwrap();
    assert_eq!(captures(&farm), 1);
    let fresh = driver.capture(Freshness::Fresh).await.unwrap();

    assert_eq!(
        fresh.picture.rgba.len(),
        1_600,
        "the other way serves when one is refused"
    );
    assert_eq!(captures(&farm), 3);
    driver.capture(Freshness::Fresh).await.unwrap();
    assert_eq!(captures(&farm), 4, "the refused way is not tried each time");
}

#[tokio::test]
async fn a_secure_screen_and_one_that_is_off_are_told_apart() {
    let secure =
        "mWakefulness=Awake\n  mCurrentFocus=Window{a1 u0 x/y}\n  Window #0 Window{a1 u0 x/y}:\n    fl=SECURE\n";
    for (state, content) in [
        (secure, ScreenContent::Secure),
        ("mWakefulness=Asleep\n", ScreenContent::Asleep),
        (
            "mCurrentFocus=Window{a1 u0 x/y}\n Window #0 Window{a1 u0 x/y}:\n    fl=SPLIT_TOUCH\n",
            ScreenContent::Visible,
        ),
    ] {
        let farm = black_phone(state).await;
        let capture = farm.driver().capture(Freshness::Fresh).await.unwrap();
        assert_eq!(capture.content, content, "{state}");
    }
}

#[tokio::test]
async fn a_picture_that_shows_something_costs_no_other_question() {
    let farm = Farm::start(shell(|_| Answer::shell_bytes(&raw(9), b"", 0))).await;

    farm.driver().capture(Freshness::Fresh).await.unwrap();

    assert_eq!(farm.lines(), ["screencap"]);
}

fn file_service(answer: Answer) -> impl Fn(&str) -> Answer + Send + Sync + 'static {
    move |request| match request {
        "sync:" => answer.clone(),
        line if line.starts_with("shell,") => Answer::shell("", "", 0),
        other => Answer::unexpected(other),
    }
}

#[tokio::test]
async fn a_heartbeat_is_one_question_to_the_file_service() {
    let farm = Farm::start(file_service(Answer::raw(b"STAT\xed\x41\0\0\0\0\0\0\0\0\0\0"))).await;

    farm.driver().heartbeat().await.unwrap();

    assert_eq!(farm.server.asked("sync:"), 1);
    assert_eq!(farm.lines(), Vec::<String>::new(), "no process on the phone");
    assert_eq!(farm.factory.last_answer(&serial()), None, "a heartbeat is no command");
    farm.driver().key(3).await.unwrap();
    assert_eq!(farm.factory.last_answer(&serial()).unwrap().command, "key");
}

#[tokio::test]
async fn missed_heartbeats_leave_no_socket_and_do_not_open_the_breaker() {
    for answer in [Answer::Hang, Answer::HangUp, Answer::raw(b"what?")] {
        let farm = Farm::with(short_deadlines(), file_service(answer.clone())).await;
        for _ in 0..10 {
            let driver = farm.driver();
            let ended = tokio::time::timeout(Duration::from_millis(40), driver.heartbeat()).await;
            assert!(!matches!(ended, Ok(Ok(()))), "{answer:?}");
        }
        farm.driver().key(3).await.unwrap();
        farm.server.wait_until_no_connection_is_open().await;
    }
}
