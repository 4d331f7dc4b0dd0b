//! Bytes from outside, changed by chance: whatever comes, the readers neither panic nor hang. The entry points are those
//! of the fuzz targets (`fuzz/`), the seeds are files that the readers take.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed assertion is how a test speaks"
)]

#[path = "../fuzz/entries.rs"]
mod entries;

use std::{fs, path::Path};

use farmhand::flow::vision::{encode_jpeg, encode_png};
use farmhand_actors::domain::Screenshot;
use proptest::{collection::vec, prelude::*, sample::Index};

/// One change of some bytes.
#[derive(Debug, Clone)]
enum Change {
    Flip(Index, u8),
    Cut(Index),
    Remove(Index, usize),
    Repeat(Index, usize),
    Insert(Index, Vec<u8>),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let at = |index: &Index, length: usize| if length == 0 { 0 } else { index.index(length) };
        let length = bytes.len();
        match self {
            Self::Flip(index, value) => {
                if let Some(byte) = bytes.get_mut(at(index, length)) {
                    *byte ^= value;
                }
            }
            Self::Cut(index) => bytes.truncate(at(index, length)),
            Self::Remove(index, count) => {
                let from = at(index, length);
                bytes.drain(from..(from + count).min(length));
            }
            Self::Repeat(index, count) => {
                let from = at(index, length);
                let part = bytes[from..(from + count).min(length)].to_vec();
                for _ in 0..4 {
                    bytes.splice(from..from, part.iter().copied());
                }
            }
            Self::Insert(index, more) => {
                let from = at(index, length);
                bytes.splice(from..from, more.iter().copied());
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        (at(), 1..=u8::MAX).prop_map(|(at, value)| Change::Flip(at, value)),
        at().prop_map(Change::Cut),
        (at(), 1..60_usize).prop_map(|(at, count)| Change::Remove(at, count)),
        (at(), 1..60_usize).prop_map(|(at, count)| Change::Repeat(at, count)),
        (at(), vec(any::<u8>(), 1..12)).prop_map(|(at, more)| Change::Insert(at, more)),
    ]
}

/// Any bytes, or one of the seeds with some changes.
fn bytes(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    assert!(seeds.iter().all(|seed| !seed.is_empty()), "an empty seed");
    let changed = (proptest::sample::select(seeds), vec(change(), 0..6)).prop_map(|(mut bytes, changes)| {
        changes.iter().for_each(|change| change.apply(&mut bytes));
        bytes
    });
    prop_oneof![1 => vec(any::<u8>(), 0..200), 5 => changed]
}

fn read(path: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn flows() -> Vec<Vec<u8>> {
    let bundled = ["flows/post.yaml", "flows/follow.yaml", "flows/post/from_gallery.yaml"];
    let examples = ["examples/flows/settings_app.yaml", "examples/flows/post_photo.yaml"];
    let mut seeds: Vec<Vec<u8>> = bundled.into_iter().chain(examples).map(read).collect();
    let odd = "appId: a.b\nfarmhand: { params: { properties: { a: { type: string } } }, policy: { allow: [http] } }\n---\n\
               - &a { tapOn: { below: { image: { file: b.png, near: \"1%,2%\" } }, index: \"${http.get(1)}\" } }\n- *a\n";
    seeds.push(odd.into());
    seeds
}

fn dumps() -> Vec<Vec<u8>> {
    let node = "<node index=\"0\" text=\"A &amp; B\" resource-id=\"a:id/b\" class=\"x.Y\" bounds=\"[0,0][1080,200]\" \
                clickable=\"true\" NAF=\"true\">";
    let dump = format!(
        "<?xml version='1.0' encoding='UTF-8' standalone='yes' ?><hierarchy rotation=\"0\">{}{}</hierarchy>",
        node.repeat(5),
        "</node>".repeat(5)
    );
    let wide: Vec<u8> = dump.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let wide = [b"\xff\xfe".to_vec(), wide].concat();
    let odd = dump.replace("A &amp; B", "&#55357;&#56832; \u{1}");
    vec![
        dump.into_bytes(),
        odd.into_bytes(),
        wide,
        b"ERROR: could not get idle state.".to_vec(),
    ]
}

fn patterns() -> Vec<Vec<u8>> {
    let patterns: [&[u8]; 4] = [
        b"a.*b|(c+)+d\n",
        b"(?<=x)(y)\\1{2,9}\n",
        b"[\\w&&[^a]]{1,40}\n",
        b"What is this?\n",
    ];
    let dump = dumps().remove(0);
    patterns.map(|pattern| [pattern, &dump].concat()).into()
}

fn pictures() -> Vec<Vec<u8>> {
    let rgba = (0..40 * 30_u32).flat_map(|at| [(at * 37 % 251) as u8, (at % 199) as u8, 9, 255]);
    let picture = Screenshot {
        width: 40,
        height: 30,
        rgba: rgba.collect(),
    };
    vec![
        encode_png(&picture, None).unwrap(),
        encode_jpeg(&picture, None, 70).unwrap(),
        read("examples/media/image4.png"),
    ]
}

fn answers() -> Vec<Vec<u8>> {
    vec![
        b"OKAY000bemulator-55".to_vec(),
        b"FAIL0006closed".to_vec(),
        b"OKAYffff".to_vec(),
    ]
}

fn packets() -> Vec<Vec<u8>> {
    let packet = |kind: u8, payload: &[u8]| {
        let length = u32::try_from(payload.len()).unwrap();
        [&[kind], length.to_le_bytes().as_slice(), payload].concat()
    };
    let whole = [
        packet(1, b"out"),
        packet(2, b"err"),
        packet(1, &[7; 300]),
        packet(3, &[0]),
    ]
    .concat();
    vec![whole, packet(3, &[1])]
}

fn raw_screens() -> Vec<Vec<u8>> {
    let raw = |format: u32, bytes: usize| {
        let head: Vec<u8> = [6, 4, format, 1].into_iter().flat_map(u32::to_le_bytes).collect();
        [head, vec![0x5a; 24 * bytes]].concat()
    };
    vec![raw(1, 4), raw(3, 3), raw(4, 2), raw(5, 4)]
}

fn png_screens() -> Vec<Vec<u8>> {
    let mut seeds = pictures();
    // The second is a JPEG, the third larger than a screen of these tests may be.
    seeds.truncate(1);
    seeds.push([b"[Warning] Multiple displays were found.\n", seeds[0].as_slice()].concat());
    seeds
}

fn agent_answers() -> Vec<Vec<u8>> {
    let answer = |body: &str| {
        let length = body.len();
        format!("HTTP/1.1 200 OK \r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
            .into_bytes()
    };
    vec![
        answer(r#"{"jsonrpc":"2.0","id":7,"result":"<hierarchy rotation=\"0\"><node index=\"0\"/></hierarchy>"}"#),
        answer(r#"{"id":7,"result":{"displayWidth":1080,"screenOn":true,"names":["a",null,-1.5e9]}}"#),
        answer(r#"{"id":7,"error":{"code":-32001,"message":"a.b.C","data":"a.b.C: gone\n\tat x"}}"#),
    ]
}

#[test]
fn the_seeds_are_what_the_readers_take() {
    use farmhand::adb::untrusted;
    assert!(dumps().iter().take(3).all(|dump| untrusted::hierarchy(dump).is_ok()));
    assert!(
        packets()
            .iter()
            .all(|packets| untrusted::shell_packets(packets, 1_000).is_some())
    );
    assert_eq!(untrusted::server_answer(&answers()[0]).as_deref(), Some("emulator-55"));
    let pixels = 64 * 1_024;
    for raw in raw_screens() {
        farmhand::adb::read_raw(raw, pixels).unwrap();
    }
    for png in png_screens() {
        farmhand::adb::read_png(&png, pixels).unwrap();
    }
    let agents = agent_answers();
    let answered = agents
        .iter()
        .map(|answer| untrusted::agent_answer(answer, 7, pixels).is_some());
    assert_eq!(answered.collect::<Vec<_>>(), [true, true, false]);
    for picture in pictures() {
        farmhand::flow::vision::decode(&picture).unwrap();
    }
}

proptest! {
    #[test]
    fn any_flow_file_is_read_or_refused(bytes in bytes(flows())) {
        entries::flow(&bytes);
    }

    #[test]
    fn any_dump_is_read_or_refused(bytes in bytes(dumps())) {
        entries::hierarchy(&bytes);
    }

    #[test]
    fn any_pattern_ends_on_any_screen(bytes in bytes(patterns())) {
        entries::selector(&bytes);
    }

    #[test]
    fn any_picture_is_read_or_refused(bytes in bytes(pictures())) {
        entries::template(&bytes);
    }

    #[test]
    fn any_answer_of_a_server_is_read_or_refused(bytes in bytes(answers())) {
        entries::server_answer(&bytes);
    }

    #[test]
    fn any_packets_of_a_shell_are_read_or_refused(bytes in bytes(packets())) {
        entries::shell_packets(&bytes);
    }

    #[test]
    fn any_raw_screen_is_read_or_refused(bytes in bytes(raw_screens())) {
        entries::raw_screen(&bytes);
    }

    #[test]
    fn any_packed_screen_is_read_or_refused(bytes in bytes(png_screens())) {
        entries::png_screen(&bytes);
    }

    #[test]
    fn any_answer_of_an_agent_is_read_or_refused(bytes in bytes(agent_answers())) {
        entries::agent_answer(&bytes);
    }
}
