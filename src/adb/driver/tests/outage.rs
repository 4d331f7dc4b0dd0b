//! Whose fault it is that a call fails: a phone and its adb server that went away look the same from the call.

use super::*;

fn is_servers(error: &DriverError) -> bool {
    matches!(error, DriverError::ServerDown { .. })
}

/// A farm whose phone does `phone` with each command, and whose server answers for itself or does not.
async fn farm(phone: Answer, server: Answer) -> Farm {
    Farm::with(short_deadlines(), move |request| match request {
        "host:version" => server.clone(),
        request if request.starts_with("shell,") => phone.clone(),
        request => Answer::unexpected(request),
    })
    .await
}

#[tokio::test]
async fn a_call_that_breaks_off_or_hangs_is_the_servers_when_that_does_not_answer_either() {
    for phone in [Answer::HangUp, Answer::Hang] {
        for (server, wanted) in [
            (Answer::text("0029"), false),
            (Answer::HangUp, true),
            (Answer::Hang, true),
        ] {
            let farm = farm(phone.clone(), server.clone()).await;

            let error = farm.driver().tap(Point { x: 1, y: 1 }).await.unwrap_err();

            assert_eq!(is_servers(&error), wanted, "{phone:?}, {server:?}: {error}");
        }
    }
}

#[tokio::test]
async fn a_server_that_is_away_never_rests_its_phones() {
    let farm = farm(Answer::HangUp, Answer::HangUp).await;

    for _ in 0..20 {
        let error = farm.driver().tap(Point { x: 1, y: 1 }).await.unwrap_err();
        assert!(is_servers(&error), "{error}");
    }
}

#[tokio::test]
async fn a_call_under_way_ends_well_when_its_server_only_stumbles_and_at_once_when_it_stays_away() {
    let farm = Farm::with(AdbSettings::default(), shell(|_| Answer::Hang)).await;
    let transport = farm.factory.phones.transports.find(&serial()).unwrap();
    let driver = farm.driver();
    let call = tokio::spawn(async move { driver.tap(Point { x: 1, y: 1 }).await });
    let asked = async {
        while farm.lines().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), asked).await.unwrap();

    transport.server.went_away("it stumbles", false);
    tokio::task::yield_now().await;
    assert!(!call.is_finished());
    transport.server.went_away("it hangs", true);

    let ended = tokio::time::timeout(Duration::from_secs(5), call).await;
    let error = ended.expect("the call goes on").unwrap().unwrap_err();
    assert!(is_servers(&error) && error.to_string().contains("it hangs"), "{error}");
}

#[tokio::test]
async fn a_phone_that_went_away_with_its_server_is_not_blamed_and_one_that_left_before_is() {
    let farm = Farm::start(shell(|_| Answer::shell("", "", 0))).await;
    let transports = &farm.factory.phones.transports;
    let server = transports.find(&serial()).unwrap().server.clone();
    let tap = || async { farm.driver().tap(Point { x: 1, y: 1 }).await.unwrap_err() };

    transports.replace(0, Vec::new());
    assert!(matches!(tap().await, DriverError::NotReady { .. }));
    server.went_away("it does not answer", false);
    assert!(is_servers(&tap().await));
    server.came_back();
    assert!(is_servers(&tap().await), "its phones come one after another");
}

#[tokio::test]
async fn a_screenshot_that_found_no_place_says_nothing_of_its_phone() {
    let mut settings = short_deadlines();
    settings.deadlines.screenshot_ms = 60;
    settings.screens.at_once = 1;
    let farm = Farm::with(settings, shell(|_| Answer::Hang)).await;
    let screens = Arc::clone(&farm.factory.phones.screens);
    let taken = screens.places.acquire().await;
    assert!(taken.is_ok());

    let error = farm.driver().capture(Freshness::Shared).await.unwrap_err();

    assert!(matches!(error, DriverError::Crowded { .. }), "{error}");
}

#[tokio::test]
async fn phones_that_did_not_answer_wait_in_a_line_of_their_own() {
    let mut settings = short_deadlines();
    settings.limits.setups = 4;
    let farm = Farm::with(settings, shell(|_| Answer::Hang)).await;
    let setups = farm.factory.phones.transports.find(&serial()).unwrap();
    let setups = &setups.server.setups;
    let usual = [(); 4].map(|()| setups.line(false).try_acquire().unwrap());

    let crowded = farm.driver().info().await.unwrap_err();
    assert!(matches!(crowded, DriverError::Crowded { .. }), "{crowded}");
    drop(usual);
    let silent = farm.driver().info().await.unwrap_err();
    assert!(matches!(silent, DriverError::TimedOut { .. }), "{silent}");

    let slow = setups.line(true).try_acquire();
    assert!(slow.is_ok());
    let crowded = farm.driver().info().await.unwrap_err();
    assert!(matches!(crowded, DriverError::Crowded { .. }), "{crowded}");
    assert!(setups.line(false).try_acquire().is_ok(), "the living have places");
}

#[tokio::test]
async fn a_phone_that_sends_more_of_a_file_than_it_has_told_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for bytes in [200_001, 20_000_000] {
        let farm = Farm::start(files(Answer::GiveFile(vec![7; bytes]))).await;

        let error = farm
            .driver()
            .pull("/sdcard/a", &folder.path().join("a"))
            .await
            .unwrap_err();

        assert!(error.to_string().contains("more than the 200000 bytes"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn a_text_in_many_parts_has_the_time_of_as_many_commands() {
    let farm = Farm::with(
        short_deadlines(),
        shell(|line| {
            // Each program takes 40 of the 60 ms that one has.
            let programs = line.matches("input text").count();
            Answer::Late(
                Duration::from_millis(40 * u64::try_from(programs).unwrap()),
                Box::new(Answer::shell("", "", 0)),
            )
        }),
    )
    .await;

    farm.driver().type_text("a%sb%sc%sd").await.unwrap();
}
