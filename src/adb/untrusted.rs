//! What reads bytes that a phone or an adb server sent, without the sockets: for fuzzing and for tests that mutate.

use farmhand_actors::{
    domain::UiTree,
    ports::{HierarchyProblem, ShellOutput},
};
use futures_util::FutureExt;
use serde_json::Value;

use super::{
    agent, shell,
    ui_tree::{self, TreeLimits},
    wire,
};

/// Most bytes and nodes that are taken here.
const LIMITS: TreeLimits = TreeLimits {
    bytes: 4 * 1024 * 1024,
    nodes: 20_000,
};

/// Reads a view tree.
///
/// # Errors
/// Why it cannot be read.
pub fn hierarchy(bytes: &[u8]) -> Result<UiTree, HierarchyProblem> {
    ui_tree::parse(bytes, LIMITS)
}

/// Reads the packets of a shell to its end; `None` if they are not whole.
#[must_use]
pub fn shell_packets(bytes: &[u8], limit: usize) -> Option<ShellOutput> {
    // Bytes that are all there never make the reader wait.
    shell::read_v2(bytes, limit).now_or_never()?.ok()
}

/// Reads the HTTP answer of a phone's agent and the JSON-RPC in it, as the answer to the call `id`; `None` if it is no
/// whole answer to that call.
#[must_use]
pub fn agent_answer(bytes: &[u8], id: u32, limit: usize) -> Option<Value> {
    agent::read_answer(bytes, id, limit).now_or_never()?.ok()?
}

/// Reads an adb server's answer and the text that follows it; `None` if it is not whole or a refusal.
#[must_use]
pub fn server_answer(mut bytes: &[u8]) -> Option<String> {
    let read = async {
        wire::status(&mut bytes).await.ok()?;
        wire::block(&mut bytes).await.ok()
    };
    read.now_or_never()?
}
