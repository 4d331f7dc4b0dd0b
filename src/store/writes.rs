//! What a transaction writes at its end in one call: a change of thread to SQLite and back costs more than most statements.

/// Statements that wait for their call, in the order in which they run: tasks before their attempts, ends before the starts
/// that need what they free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// `insert_tasks.sql`.
    Tasks,
    /// `end_attempts.sql`.
    Ends,
    /// `complete_tasks.sql`.
    Completions,
    /// `start_tasks.sql`.
    Starts,
    /// `insert_attempts.sql`.
    Attempts,
}

/// Each has one parameter, without a number: SQLite has no numbers to skip then where a piece is left out.
const PIECES: [&str; 5] = [
    include_str!("queries/insert_tasks.sql"),
    include_str!("queries/end_attempts.sql"),
    include_str!("queries/complete_tasks.sql"),
    include_str!("queries/start_tasks.sql"),
    include_str!("queries/insert_attempts.sql"),
];

/// The parameters of the pieces that are wanted.
#[derive(Debug, Default)]
pub(super) struct Writes([Option<String>; PIECES.len()]);

impl Writes {
    /// Whether the piece is wanted already.
    pub(super) fn has(&self, piece: Piece) -> bool {
        self.0.get(piece as usize).is_some_and(Option::is_some)
    }

    pub(super) fn put(&mut self, piece: Piece, rows: String) {
        if let Some(slot) = self.0.get_mut(piece as usize) {
            *slot = Some(rows);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// The statements, and the parameter of each.
    pub(super) fn take(&mut self) -> (String, Vec<String>) {
        let (mut sql, mut parameters) = (String::new(), Vec::new());
        for (piece, rows) in PIECES.iter().zip(std::mem::take(&mut self.0)) {
            if let Some(rows) = rows {
                sql.push_str(piece);
                sql.push(';');
                parameters.push(rows);
            }
        }
        (sql, parameters)
    }
}
