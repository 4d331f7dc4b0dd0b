//! The simulator's server port: the real adb client without a real server, and hand-written requests.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use farmhand_sim::{
    device::Device,
    server::{FixedList, Served, serve},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    adb::Adb,
    checks,
    fake::{FRAME_HEIGHT, FRAME_WIDTH, FakePhone},
    programs::{self, under_each_adb},
};

under_each_adb! { the_real_client_works_without_a_real_server }

async fn served(phones: &[&Arc<FakePhone>]) -> Served {
    let devices = phones
        .iter()
        .map(|phone| -> Arc<dyn Device> { (*phone).clone() })
        .collect();
    serve(
        Arc::new(FixedList::new(devices)),
        SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    )
    .await
    .unwrap()
}

/// A client that has sent one request.
async fn request(addr: SocketAddr, text: &str) -> TcpStream {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    send(&mut socket, text).await;
    socket
}

async fn send(socket: &mut TcpStream, text: &str) {
    socket
        .write_all(format!("{:04x}{text}", text.len()).as_bytes())
        .await
        .unwrap();
}

async fn expect(socket: &mut TcpStream, text: &str) {
    let mut answer = vec![0; text.len()];
    let read = tokio::time::timeout(Duration::from_secs(10), socket.read_exact(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        read.is_ok_and(|read| read.is_ok()) && answer == text,
        "wanted {text:?}, got {answer:?}"
    );
}

async fn rest(mut socket: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    rest
}

/// Opens a phone's service.
async fn open(addr: SocketAddr, serial: &str, service: &str) -> TcpStream {
    let mut socket = request(addr, &format!("host:transport:{serial}")).await;
    expect(&mut socket, "OKAY").await;
    send(&mut socket, service).await;
    socket
}

async fn the_real_client_works_without_a_real_server(program: PathBuf) {
    let phone = FakePhone::new("PH0NE");
    let served = served(&[&phone]).await;
    let adb = Adb::new(program, served.addr.port());

    checks::all(&adb, "PH0NE", &phone).await;

    let said = adb.text(&["connect", "127.0.0.1:15601"]).await;
    assert_eq!(said, "already connected to 127.0.0.1:15601\n");
    assert_eq!(
        adb.text(&["shell", "echo", "the", "only", "phone"]).await,
        "the only phone\n"
    );
}

#[tokio::test]
async fn a_client_must_say_which_phone_when_there_are_several() {
    let (one, two) = (FakePhone::new("one"), FakePhone::new("two"));
    let served = served(&[&one, &two]).await;

    let ambiguous = rest(request(served.addr, "host:transport-any").await).await;
    let missing = rest(request(served.addr, "host:transport:three").await).await;
    let mut chosen = request(served.addr, "host:tport:serial:two").await;

    assert_eq!(
        String::from_utf8_lossy(&ambiguous),
        "FAIL001dmore than one device/emulator"
    );
    assert_eq!(String::from_utf8_lossy(&missing), "FAIL0018device 'three' not found");
    expect(&mut chosen, "OKAY\u{2}\0\0\0\0\0\0\0").await;
    send(&mut chosen, "exec:getprop ro.serialno").await;
    assert_eq!(rest(chosen).await, b"OKAYtwo\n");
}

#[tokio::test]
async fn trackers_are_told_of_every_change_of_state() {
    let phone = FakePhone::new("PH0NE");
    let served = served(&[&phone]).await;
    let mut tracker = request(served.addr, "host:track-devices").await;
    expect(&mut tracker, "OKAY000dPH0NE\tdevice\n").await;

    phone.set_link(|link| link.unauthorized = true);
    expect(&mut tracker, "0013PH0NE\tunauthorized\n").await;
    phone.set_link(|link| link.offline = true);
    expect(&mut tracker, "000ePH0NE\toffline\n").await;
    phone.set_link(|link| (link.offline, link.unauthorized) = (false, false));
    expect(&mut tracker, "000dPH0NE\tdevice\n").await;
    phone.set_link(|link| link.drops += 1);
    expect(&mut tracker, "000ePH0NE\toffline\n").await;
    expect(&mut tracker, "000dPH0NE\tdevice\n").await;
}

#[tokio::test]
async fn a_phone_that_cannot_be_used_is_refused_with_the_real_words() {
    let phone = FakePhone::new("PH0NE");
    let served = served(&[&phone]).await;

    phone.set_link(|link| link.offline = true);
    assert_eq!(
        rest(request(served.addr, "host:transport:PH0NE").await).await,
        b"FAIL000edevice offline"
    );
    assert_eq!(
        rest(request(served.addr, "host-serial:PH0NE:get-state").await).await,
        b"OKAY0007offline"
    );

    phone.set_link(|link| (link.offline, link.unauthorized) = (false, true));
    let refused = rest(request(served.addr, "host:transport:PH0NE").await).await;
    assert!(String::from_utf8_lossy(&refused).contains("device unauthorized.\n"));
}

#[tokio::test]
async fn a_phone_that_is_lost_ends_its_streams_without_an_exit_code() {
    let phone = FakePhone::new("PH0NE");
    let served = served(&[&phone]).await;
    let mut running = open(served.addr, "PH0NE", "shell,v2,raw:echo begun; logcat").await;
    expect(&mut running, "OKAY\u{1}\u{6}\0\0\0begun\n").await;

    phone.set_link(|link| link.drops += 1);

    assert_eq!(rest(running).await, b"");
}

#[tokio::test]
async fn a_hung_phone_answers_the_server_but_no_client() {
    let phone = FakePhone::new("PH0NE");
    let served = served(&[&phone]).await;
    phone.set_link(|link| link.hang = true);
    let mut hung = open(served.addr, "PH0NE", "exec:echo late").await;

    assert_eq!(
        rest(request(served.addr, "host:devices").await).await,
        b"OKAY000dPH0NE\tdevice\n"
    );
    let mut byte = [0];
    let early = tokio::time::timeout(Duration::from_millis(200), hung.read(&mut byte)).await;
    assert!(early.is_err(), "a hung phone answered");

    phone.set_link(|link| link.hang = false);
    assert_eq!(rest(hung).await, b"OKAYlate\n");
}

#[tokio::test]
async fn a_slow_phone_takes_its_time() {
    let phone = FakePhone::new("PH0NE");
    let served = served(&[&phone]).await;
    phone.set_link(|link| link.slow_ms = 150);
    let begun = tokio::time::Instant::now();

    assert_eq!(
        rest(open(served.addr, "PH0NE", "exec:echo slow").await).await,
        b"OKAYslow\n"
    );

    assert!(begun.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn ports_and_pixels_of_the_phone_can_be_reached() {
    let phone = FakePhone::new("PH0NE");
    let served = served(&[&phone]).await;

    let mut port = open(served.addr, "PH0NE", "tcp:9008").await;
    expect(&mut port, "OKAY").await;
    port.write_all(b"hey ").await.unwrap();
    expect(&mut port, "hey hey ").await;
    assert_eq!(
        rest(open(served.addr, "PH0NE", "tcp:9009").await).await,
        b"FAIL0006closed"
    );

    let frame = rest(open(served.addr, "PH0NE", "framebuffer:").await).await;
    let words: Vec<u32> = frame[4..60]
        .chunks(4)
        .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
        .collect();
    let size = FRAME_WIDTH * FRAME_HEIGHT * 4;
    assert_eq!(
        words,
        [2, 32, 1, size, FRAME_WIDTH, FRAME_HEIGHT, 0, 8, 16, 8, 8, 8, 24, 8]
    );
    assert_eq!(frame.len() - 60, size as usize);
}

#[tokio::test]
async fn a_shell_that_is_hung_up_ends_its_command() {
    let phone = FakePhone::new("PH0NE");
    let served = served(&[&phone]).await;
    let files = phone.files();

    for shell in ["shell:", "shell,v2,raw:"] {
        let command = format!("{shell}touch /sdcard/begun; sleep 0.3; touch /sdcard/ended");
        let client = open(served.addr, "PH0NE", &command).await;
        checks::wait_until(|| files.exists("/sdcard/begun")).await;
        drop(client);
        files.remove("/sdcard/begun").unwrap();
    }
    // The same without a hang-up goes on, and shows when the first ones would have ended.
    let pipes = open(served.addr, "PH0NE", "exec:sleep 0.5; touch /sdcard/other").await;
    assert_eq!(rest(pipes).await, b"OKAY");

    assert!(files.exists("/sdcard/other"));
    assert!(!files.exists("/sdcard/ended"));
}

#[tokio::test]
async fn a_command_that_is_not_hung_up_goes_on_when_its_client_has_gone() {
    let phone = FakePhone::new("PH0NE");
    let served = served(&[&phone]).await;
    phone.set_link(|link| link.hang = true);

    drop(open(served.addr, "PH0NE", "exec:sleep 0.1; touch /sdcard/late").await);
    phone.set_link(|link| link.hang = false);

    checks::wait_until(|| phone.files().exists("/sdcard/late")).await;
}

#[tokio::test]
async fn nonsense_is_refused_and_nobody_else_notices() {
    let phone = FakePhone::new("PH0NE");
    let served = served(&[&phone]).await;

    for (text, answer) in [
        ("host:nonsense", "FAIL0014unknown host service"),
        ("shell:true", "FAIL001ddevice offline (no transport)"),
        ("host-serial:", "FAIL001ddevice offline (no transport)"),
    ] {
        let socket = request(served.addr, text).await;
        assert_eq!(String::from_utf8_lossy(&rest(socket).await), answer, "{text}");
    }
    let mut garbage = TcpStream::connect(served.addr).await.unwrap();
    garbage.write_all(b"\xff\xff\xff\xffhost").await.unwrap();
    let mut sink = Vec::new();
    garbage.read_to_end(&mut sink).await.ok();
    assert!(sink.is_empty());
    assert_eq!(
        rest(open(served.addr, "PH0NE", "nonsense:").await).await,
        b"FAIL0006closed"
    );
    assert_eq!(rest(request(served.addr, "host:version").await).await, b"OKAY00040029");
}
