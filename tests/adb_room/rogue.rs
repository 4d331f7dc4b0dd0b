//! Phones whose own adb breaks the protocol, behind the real adb server and beside a healthy phone: each call ends within
//! its deadline with the right error, and the other phone of that server goes on.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use farmhand::adb::{AdbDeadlines, AdbLimits, AdbSettings};
use farmhand_actors::ports::{DeviceDriver, DriverError};
use farmhand_sim::simulator::Simulator;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    harness::{Room, Server, serial},
    rig::{addresses, simulator, words},
};

const DEADLINE_MS: u64 = 2_000;
/// A call may take its deadline, and on a busy machine some time more to tell so.
const BOUND: Duration = Duration::from_millis(DEADLINE_MS + 3_000);

/// The protocol's first version, in which packets carry checksums.
const VERSION: u32 = 0x0100_0000;
const PHONE_ID: u32 = 77;

/// Bytes that a phone sends when a service is opened; the number is the host's id of the stream.
type Answer = Arc<dyn Fn(u32) -> Vec<u8> + Send + Sync>;

/// A phone that says hello as one should, and then what the test likes.
struct Rogue {
    address: String,
    answer: Arc<Mutex<Answer>>,
}

impl Rogue {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        // Who asks what it is called hears its name.
        let well: Answer = Arc::new(|host| whole(host, b"rogue\n"));
        let answer = Arc::new(Mutex::new(well));
        let shared = Arc::clone(&answer);
        tokio::spawn(async move {
            while let Ok((host, _)) = listener.accept().await {
                // The server hangs up on what it cannot bear, and comes again.
                tokio::spawn(converse(host, Arc::clone(&shared)));
            }
        });
        Self { address, answer }
    }

    fn answers(&self, answer: impl Fn(u32) -> Vec<u8> + Send + Sync + 'static) {
        *self.answer.lock().unwrap() = Arc::new(answer);
    }
}

async fn converse(mut host: TcpStream, answer: Arc<Mutex<Answer>>) -> std::io::Result<()> {
    loop {
        let mut words = [0_u32; 6];
        for word in &mut words {
            *word = host.read_u32_le().await?;
        }
        let [command, stream, _, length, ..] = words;
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        host.read_exact(&mut payload).await?;
        match &command.to_le_bytes() {
            b"CNXN" => {
                let banner = b"device::ro.product.name=rogue;ro.product.model=Rogue;ro.product.device=rogue;features=shell_v2,cmd";
                host.write_all(&packet(b"CNXN", VERSION, 1 << 20, banner)).await?;
            }
            b"OPEN" => {
                let bytes = (answer.lock().unwrap())(stream);
                host.write_all(&bytes).await?;
            }
            _ => {}
        }
    }
}

fn packet(command: &[u8; 4], arg0: u32, arg1: u32, payload: &[u8]) -> Vec<u8> {
    let sum = payload.iter().map(|byte| u32::from(*byte)).sum();
    packet_with(command, [arg0, arg1], payload, sum, !u32::from_le_bytes(*command))
}

fn packet_with(command: &[u8; 4], args: [u32; 2], payload: &[u8], sum: u32, magic: u32) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    let words = [u32::from_le_bytes(*command), args[0], args[1], length, sum, magic];
    let head = words.into_iter().flat_map(u32::to_le_bytes);
    head.chain(payload.iter().copied()).collect()
}

fn okay(host: u32) -> Vec<u8> {
    packet(b"OKAY", PHONE_ID, host, b"")
}

/// What a shell sends that printed these bytes and ended well.
fn printed(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    [&[1], length.as_slice(), bytes, &[3, 1, 0, 0, 0, 0]].concat()
}

/// A whole answer, with its end.
fn whole(host: u32, bytes: &[u8]) -> Vec<u8> {
    let output = packet(b"WRTE", PHONE_ID, host, &printed(bytes));
    [okay(host), output, packet(b"CLSE", PHONE_ID, host, b"")].concat()
}

/// A rogue and a healthy phone behind one server.
struct Farm {
    server: Server,
    simulator: Simulator,
    rogue: Rogue,
    room: Room,
}

impl Farm {
    async fn start() -> Option<Self> {
        let server = Server::start()?;
        let simulator = simulator(1).await;
        let rogue = Rogue::start().await;
        let healthy = addresses(&simulator);
        let settings = AdbSettings {
            servers: vec![server.address()],
            start_server: false,
            deadlines: AdbDeadlines {
                shell_ms: DEADLINE_MS,
                query_ms: DEADLINE_MS,
                screenshot_ms: DEADLINE_MS,
                ..AdbDeadlines::default()
            },
            limits: AdbLimits {
                // The errors are what is tested, not the rest after them.
                breaker_failures: 1_000_000,
                reconnect_max_ms: 500,
                ..AdbLimits::default()
            },
            ..AdbSettings::default()
        };
        let mut room = Room::with(settings, &[("rogue", &rogue.address), (&healthy[0].0, &healthy[0].1)]);
        room.usable(2).await;
        Some(Self {
            server,
            simulator,
            rogue,
            room,
        })
    }

    fn driver(&self, name: &str) -> Arc<dyn DeviceDriver> {
        self.room.handle.factory().open(&serial(name), None)
    }

    /// The rogue is listed as usable (again: some words make the server hang up).
    async fn rogue_is_back(&self) {
        let driver = self.driver("rogue");
        self.rogue.answers(|host| whole(host, b"rogue\n"));
        let since = Instant::now();
        while driver.shell(words(&["echo"])).await.is_err() {
            assert!(
                since.elapsed() < crate::harness::PATIENCE,
                "the phone does not come back"
            );
            tokio::task::yield_now().await;
        }
    }

    /// The other phone does not mind, and the server still runs.
    async fn the_others_go_on(&self, what: &str) {
        let output = self.driver("sim-1").shell(words(&["echo", "well"])).await;
        assert_eq!(output.unwrap().stdout, b"well\n", "{what}");
        self.server.signal("-0");
    }
}

#[tokio::test]
async fn f13_a_phone_that_breaks_the_protocol_gets_an_error_in_time_and_hurts_nobody() {
    let Some(farm) = Farm::start().await else { return };
    let wrong: [(&str, Answer); 7] = [
        (
            "a wrong magic",
            Arc::new(|host| {
                let output = packet_with(b"WRTE", [PHONE_ID, host], b"x", u32::from(b'x'), 0);
                [okay(host), output].concat()
            }),
        ),
        (
            "a length of 4 GiB",
            Arc::new(|host| {
                let mut output = packet(b"WRTE", PHONE_ID, host, b"");
                output[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
                [okay(host), output].concat()
            }),
        ),
        (
            "an OKAY for nothing that was opened",
            Arc::new(|host| packet(b"OKAY", PHONE_ID, host + 4_000, b"")),
        ),
        (
            "bytes for nothing that was opened",
            Arc::new(|host| packet(b"WRTE", PHONE_ID + 1, host + 4_000, &printed(b"not yours"))),
        ),
        ("no end, and no exit code", Arc::new(okay)),
        (
            "an end that comes first",
            Arc::new(|host| [okay(host), packet(b"CLSE", PHONE_ID, host, b"")].concat()),
        ),
        ("words of nobody", Arc::new(|_| vec![0xff; 4_096])),
    ];
    for (what, answer) in wrong {
        farm.rogue.answers(move |host| answer(host));
        let since = Instant::now();

        let ended = farm.driver("rogue").shell(words(&["echo", "well"])).await;

        assert!(ended.is_err(), "{what}: {ended:?}");
        assert!(since.elapsed() < BOUND, "{what}: {:?}", since.elapsed());
        farm.the_others_go_on(what).await;
        farm.rogue_is_back().await;
    }
    farm.simulator.stop().await;
}

#[tokio::test]
async fn f13_an_answer_that_is_whole_counts_without_checksum_and_without_an_end() {
    let Some(farm) = Farm::start().await else { return };
    // The adb server does not look at checksums: TCP has its own.
    let unchecked: Answer = Arc::new(|host| {
        let output = packet_with(
            b"WRTE",
            [PHONE_ID, host],
            &printed(b"well\n"),
            7,
            !u32::from_le_bytes(*b"WRTE"),
        );
        [okay(host), output, packet(b"CLSE", PHONE_ID, host, b"")].concat()
    });
    let unended: Answer = Arc::new(|host| {
        let output = packet(b"WRTE", PHONE_ID, host, &printed(b"well\n"));
        [okay(host), output].concat()
    });
    for (what, answer) in [("a wrong checksum", unchecked), ("no CLSE", unended)] {
        farm.rogue.answers(move |host| answer(host));
        let since = Instant::now();

        let output = farm.driver("rogue").shell(words(&["echo", "well"])).await;

        assert_eq!(output.unwrap().stdout, b"well\n", "{what}");
        assert!(since.elapsed() < BOUND, "{what}");
        farm.the_others_go_on(what).await;
    }
    farm.simulator.stop().await;
}

#[tokio::test]
async fn f18_pictures_that_cannot_be_are_errors_and_the_other_phone_gives_its_own() {
    let Some(farm) = Farm::start().await else { return };
    let header =
        |width: u32, height: u32| -> Vec<u8> { [width, height, 1, 1].into_iter().flat_map(u32::to_le_bytes).collect() };
    let padded = [header(2, 2), vec![0; 2 * 3 * 4]].concat();
    for (what, picture) in [
        ("20,000 x 20,000 pixels", header(20_000, 20_000)),
        ("a wrong stride", padded),
        ("nothing", Vec::new()),
    ] {
        farm.rogue.answers(move |host| whole(host, &picture));
        let since = Instant::now();

        let error = farm.driver("rogue").screenshot().await.unwrap_err();

        assert!(matches!(error, DriverError::Refused { .. }), "{what}: {error}");
        assert!(since.elapsed() < BOUND * 2, "{what}");
        let other = farm.driver("sim-1").screenshot().await.unwrap();
        assert_eq!((other.width, other.height), (1080, 2400), "{what}");
        farm.the_others_go_on(what).await;
    }
    farm.simulator.stop().await;
}
