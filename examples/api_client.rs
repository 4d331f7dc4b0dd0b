//! Follows an account from one phone and waits for the result. Start `cargo run --release -- demo` first, then
//! `cargo run --example api_client`.

use std::{thread, time::Duration};

use anyhow::{Context, bail};
use serde_json::{Value, json};

fn main() -> anyhow::Result<()> {
    let farm = std::env::var("FARMHAND_SERVER").unwrap_or_else(|_| "http://127.0.0.1:50809".to_owned());
    let request = json!({
        "serials": ["device_serial_2"],
        "script_name": "follow",
        "script_config": { "target_users": ["@some.creator"], "access_method": "search" }
    });

    // The key makes a repeated request harmless: it is answered, and creates nothing.
    let mut answer = ureq::post(format!("{farm}/api/v1/task"))
        .header("Idempotency-Key", "example-follow-1")
        .send_json(&request)
        .context("is the controller running?")?;
    let answer: Value = answer.body_mut().read_json()?;
    let task = answer
        .pointer("/data/task_ids/0")
        .and_then(Value::as_i64)
        .with_context(|| format!("no task was created: {answer}"))?;

    loop {
        let answer: Value = ureq::get(format!("{farm}/api/v1/task/{task}"))
            .call()?
            .body_mut()
            .read_json()?;
        let data = answer.get("data").context("no data")?;
        let remark = data.get("remark").and_then(Value::as_str).unwrap_or_default();
        println!(
            "task {task}: {} {remark}",
            data.get("status_text").and_then(Value::as_str).unwrap_or_default()
        );
        match data.get("status").and_then(Value::as_i64) {
            Some(2) => return Ok(()),
            Some(3) => bail!("the task failed: {remark}"),
            _ => thread::sleep(Duration::from_millis(500)),
        }
    }
}
