//! What the controller's log says.

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
