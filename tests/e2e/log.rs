//! What the controller's log says.

use serde_json::Value;

use crate::harness::Controller;

/// The lines that tell how attempts of a task ended without success, oldest first.
pub fn ends_of(controller: &Controller, task: i64) -> Vec<String> {
    let log = std::fs::read_to_string(controller.log()).unwrap();
    let of_task = format!(" task.id={task} ");
    let lines = log
        .lines()
        .filter(|line| line.contains("attempt ended without success: ") && line.contains(&of_task));
    lines.map(str::to_owned).collect()
}

/// Each attempt of a completed task that did not end in success has exactly one line, which says of whom and of what it
/// tells, whose fault it was and what comes next. Answers the lines.
pub fn check_ends(controller: &Controller, task: &Value) -> Vec<String> {
    let ends = ends_of(controller, task["id"].as_i64().unwrap());
    let attempts = task["attempts"].as_array().unwrap();
    let unsuccessful = attempts
        .iter()
        .filter(|attempt| attempt["outcome"] != "completed")
        .count();
    assert_eq!(ends.len(), unsuccessful, "{ends:#?}\n{task:#}");
    let serial = format!("device.serial={} ", task["serial"].as_str().unwrap());
    for line in &ends {
        for part in [&serial, "account=\"", "reason=\"", "step=", "blame=\"", "next=\""] {
            assert!(line.contains(part), "no {part} in {line}");
        }
    }
    ends
}
