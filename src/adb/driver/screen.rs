//! What the screen shows: view tree and size.

use std::time::Duration;

use farmhand_actors::{
    domain::UiTree,
    ports::{DriverError, HierarchyProblem, ShellOutput},
};

use super::{
    call::{AdbDriver, problem_of},
    take::{panel_size, parse_size},
};
use crate::adb::{
    error::AdbError,
    quote::CommandLine,
    settings::millis,
    ui_tree::{self, TreeLimits},
};

/// Dumps to a file that is deleted first: a dump that fails prints nothing wrong and leaves an older file as it was.
/// What the program says goes to standard error, so that standard output is the hierarchy alone.
const DUMP: &str = "f=/data/local/tmp/.farmhand_dump.xml; rm -f $f; uiautomator dump $f >&2; code=$?; \
    [ -f $f ] && cat $f && rm -f $f; exit $code";

/// How many times a dump is tried that failed for a reason that passes by itself (another dump, a window that changes).
const DUMP_TRIES: u32 = 3;
const DUMP_PAUSE: Duration = Duration::from_millis(300);

/// The exit code of a program that was killed (128 + SIGKILL).
const KILLED_CODE: u8 = 137;

/// `wm size` tells the panel upright; the current rotation stands in one of the other two.
const SIZE: &str = "wm size; dumpsys window displays 2>/dev/null | grep cur=; \
    dumpsys display 2>/dev/null | grep rientation=; exit 0";

impl AdbDriver {
    pub(super) async fn read_hierarchy(&self) -> Result<UiTree, DriverError> {
        self.dump(|dump| ui_tree::parse(dump, self.tree_limits())).await
    }

    pub(super) async fn read_hierarchy_text(&self) -> Result<String, DriverError> {
        self.dump(|dump| {
            // Evidence is kept also when it cannot be read, as long as it is there.
            if dump.trim_ascii().is_empty() {
                Err(HierarchyProblem::Empty)
            } else {
                Ok(String::from_utf8_lossy(dump).into_owned())
            }
        })
        .await
    }

    fn tree_limits(&self) -> TreeLimits {
        let limits = self.phones.settings.limits;
        TreeLimits {
            bytes: limits.hierarchy_bytes,
            nodes: limits.hierarchy_nodes,
        }
    }

    async fn dump<T>(&self, read: impl Fn(&[u8]) -> Result<T, HierarchyProblem> + Send) -> Result<T, DriverError> {
        let deadline = millis(self.phones.settings.deadlines.dump_ms);
        let mut tries = 0;
        loop {
            let output = self.dump_once(deadline).await?;
            let problem = match read(&output.stdout) {
                Ok(tree) => return Ok(tree),
                Err(problem) => problem_of_dump(&output, problem),
            };
            tries += 1;
            let passes = matches!(
                problem,
                HierarchyProblem::Killed | HierarchyProblem::NoRoot | HierarchyProblem::Empty
            );
            if !passes || tries >= DUMP_TRIES {
                return Err(DriverError::Hierarchy {
                    serial: self.phone.serial.clone(),
                    problem,
                });
            }
            if matches!(problem, HierarchyProblem::NoRoot | HierarchyProblem::Empty) {
                // The screen went off while a flow was waiting; waking does nothing when it is on. (Of a dark screen
                // the agent tells an empty tree.)
                let deadline = millis(self.phones.settings.deadlines.input_ms);
                self.act("hierarchy", deadline, CommandLine::program("input keyevent 224"))
                    .await?;
            }
            tokio::time::sleep(DUMP_PAUSE).await;
        }
    }

    /// By the agent if it answers, else by `uiautomator dump`.
    async fn dump_once(&self, deadline: Duration) -> Result<ShellOutput, DriverError> {
        if let Some(dumped) = self.dump_by_agent().await {
            return dumped;
        }
        let _turn = self.turn("hierarchy", deadline, &self.phone.dump).await?;
        // The agent may have come up while we waited; then a dump of adb's would be killed.
        if let Some(dumped) = self.dump_by_agent().await {
            return dumped;
        }
        self.dump_by_adb(deadline).await
    }

    async fn dump_by_adb(&self, deadline: Duration) -> Result<ShellOutput, DriverError> {
        let transport = self.transport()?;
        let limits = self.phones.settings.limits;
        // What is seen is what the attempt acts on, so a dump is fenced as an act is.
        let line = self.fenced(CommandLine::script(DUMP));
        let line = line
            .render()
            .map_err(|error| self.refused("hierarchy", error.to_string()))?;
        let dumped = self.call("hierarchy", deadline, &transport.server, async {
            match transport.shell(line, limits.hierarchy_bytes).await {
                // The port has a typed error for it.
                Err(AdbError::TooLong(_)) => Ok(None),
                other => other.map(Some),
            }
        });
        let output = dumped.await?.ok_or_else(|| DriverError::Hierarchy {
            serial: self.phone.serial.clone(),
            problem: HierarchyProblem::TooLarge {
                limit: limits.hierarchy_bytes,
                unit: "bytes",
            },
        })?;
        self.unless_refused(output)
    }

    pub(super) async fn read_screen_size(&self) -> Result<(u32, u32), DriverError> {
        const OP: &str = "screen_size";
        let deadline = millis(self.phones.settings.deadlines.query_ms);
        let output = self.query(OP, deadline, &CommandLine::script(SIZE)).await?;
        current_size(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| self.refused(OP, problem_of(&output)))
    }
}

/// What the program said on standard error says more than an empty dump does.
fn problem_of_dump(output: &ShellOutput, problem: HierarchyProblem) -> HierarchyProblem {
    if problem != HierarchyProblem::Empty {
        return problem;
    }
    if output.code == KILLED_CODE {
        return HierarchyProblem::Killed;
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: String = said
        .lines()
        .filter(|line| !line.starts_with("UI hierchary dumped to"))
        .collect::<Vec<_>>()
        .join("\n");
    match ui_tree::problem_of_text(&said) {
        HierarchyProblem::Malformed(_) => HierarchyProblem::Malformed(problem_of(output)),
        typed => typed,
    }
}

/// The size in the current rotation: `cur=2400x1080` of the window manager, or the panel's size turned by the
/// display's orientation.
fn current_size(text: &str) -> Option<(u32, u32)> {
    let current = text
        .split_whitespace()
        .find_map(|word| parse_size(word.strip_prefix("cur=")?));
    if current.is_some() {
        return current;
    }
    let (width, height) = panel_size(text)?;
    let orientation = text.split(|c: char| c.is_whitespace() || c == ',').find_map(|word| {
        let (key, value) = word.split_once('=')?;
        let quarter_turns: u8 = value.parse().ok()?;
        key.ends_with("rientation").then_some(quarter_turns)
    });
    Some(if orientation.is_some_and(|turns| turns % 2 == 1) {
        (height, width)
    } else {
        (width, height)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(stdout: &str, stderr: &str, code: u8) -> ShellOutput {
        ShellOutput {
            stdout: stdout.into(),
            stderr: stderr.into(),
            code,
        }
    }

    #[test]
    fn the_current_rotation_decides_the_size() {
        let panel = "Physical size: 1080x2400\n";

        assert_eq!(current_size(panel), Some((1080, 2400)));
        assert_eq!(
            current_size(&format!("{panel}  init=1080x2400 420dpi cur=2400x1080 app=2274x1080\n")),
            Some((2400, 1080))
        );
        assert_eq!(
            current_size(&format!("{panel}    mCurrentOrientation=3\n")),
            Some((2400, 1080))
        );
        assert_eq!(
            current_size(&format!("{panel} DisplayViewport{{valid=true, orientation=1, x=2}}")),
            Some((2400, 1080))
        );
        assert_eq!(current_size(&format!("{panel}mOrientation=2")), Some((1080, 2400)));
        assert_eq!(current_size("Can't find service: window"), None);
    }

    #[test]
    fn an_empty_dump_is_explained_by_what_the_program_said() {
        let problem = |output: &ShellOutput| problem_of_dump(output, HierarchyProblem::Empty);

        assert_eq!(
            problem(&output("", "ERROR: could not get idle state.\n", 0)),
            HierarchyProblem::NotIdle
        );
        assert_eq!(
            problem(&output("", "ERROR: null root node returned by X.\n", 0)),
            HierarchyProblem::NoRoot
        );
        assert_eq!(problem(&output("", "", 137)), HierarchyProblem::Killed);
        assert_eq!(
            problem(&output("", "UI hierchary dumped to: /x\n", 0)),
            HierarchyProblem::Empty
        );
        assert_eq!(
            problem(&output(
                "",
                "/system/bin/sh: uiautomator: inaccessible or not found\n",
                127
            )),
            HierarchyProblem::Malformed("/system/bin/sh: uiautomator: inaccessible or not found".into())
        );
    }
}
