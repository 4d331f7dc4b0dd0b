//! Text of any script, through a real adb server to a field of a simulated phone: once, in order, complete.

use farmhand_actors::ports::DeviceDriver;
use proptest::{prelude::Strategy as _, strategy::ValueTree as _, test_runner::TestRunner};

use crate::{
    harness::{Room, serial},
    rig::{agent, behind_adb, behind_adb_with, until_agent_answers},
    suite::{focused_field, typed},
};

/// Each holds what some layer between here and the field could take for its own.
const HOSTILE: [&str; 16] = [
    "%s",
    "100%s %%s %S %",
    "'",
    "it's \"quoted\" 'twice'",
    "\\ \\n \\\\ \\'",
    "$(reboot) `reboot` ${HOME} $HOME",
    "; reboot & reboot | reboot > x < y",
    "* ? [a-z] ~ {a,b} ! # =",
    "-n",
    "two\nlines\n\nand a tab\t.",
    "ends with a line\n-",
    "👩‍👩‍👧‍👦 🇵🇱 ✌🏽 😀",
    "你好，世界。こんにちは 안녕하세요",
    "שלום עולם مرحبا بالعالم \u{202e}x\u{202c}.",
    "e\u{301} zażółć gęślą jaźń ß ﷽",
    "<node text=\"x\"/> &amp; &#10; ]]> ",
];

async fn arrives(driver: &dyn DeviceDriver, text: &str) {
    focused_field(driver).await;
    driver.type_text(text).await.unwrap();
    assert_eq!(typed(driver, text).await, text);
}

async fn any_text_arrives(room: &Room) {
    let driver = room.handle.factory().open(&serial("sim-1"), None);
    for text in HOSTILE {
        arrives(&*driver, text).await;
    }
    let long = "The quick brown fox's 100%s; ".repeat(400);
    let long: String = long.chars().take(10_240).collect();
    arrives(&*driver, &long).await;
    arrives(&*driver, &"%s'".repeat(3_000)).await;
    arrives(&*driver, &"żółw 😀 ".repeat(1_400)).await;
    let mut runner = TestRunner::deterministic();
    let any = "[ -~]{1,40}|([%s '\"\\\\$`()&|;]{1,20})|[\\p{L}\\p{M}\\p{N}\\p{P}\\p{S} ]{1,30}|[a-zż😀你ש\n]{1,30}x";
    let any = proptest::string::string_regex(any).unwrap();
    for _ in 0..40 {
        let text = any.new_tree(&mut runner).unwrap().current();
        arrives(&*driver, &text).await;
    }
    assert_eq!(typed_twice(&*driver).await, "onetwo");
}

/// Two texts after one another stand after one another.
async fn typed_twice(driver: &dyn DeviceDriver) -> String {
    focused_field(driver).await;
    driver.type_text("one").await.unwrap();
    driver.type_text("two").await.unwrap();
    typed(driver, "two").await
}

#[tokio::test]
async fn any_text_arrives_once_in_order_and_complete_by_adb_alone() {
    let Some((_server, simulator, room)) = behind_adb(1).await else {
        return;
    };

    any_text_arrives(&room).await;

    simulator.stop().await;
}

#[tokio::test]
async fn any_text_arrives_once_in_order_and_complete_with_the_agent() {
    let (_jar, agent) = agent();
    let Some((_server, simulator, room)) = behind_adb_with(1, agent).await else {
        return;
    };
    until_agent_answers(&*room.handle.factory().open(&serial("sim-1"), None)).await;

    any_text_arrives(&room).await;

    simulator.stop().await;
}
