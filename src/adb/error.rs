//! Why a call to an adb server failed, before it is known which command of which phone it was for.

use std::{io, time::Duration};

use farmhand_actors::{
    domain::{AdbState, Serial},
    ports::DriverError,
};

/// A failed exchange with an adb server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AdbError {
    /// Nobody listens, or the connection broke before the server had said anything of the phone.
    #[error("{0}")]
    Unreachable(String),
    /// This computer has no open file left for a socket: nothing is said of the server or the phone.
    #[error("{0}: farmhand may open no more files and sockets; raise its limit (ulimit -n, systemd: LimitNOFILE)")]
    NoSocket(String),
    /// The server answers, but not in its protocol.
    #[error("not the adb protocol: {0}")]
    Garbage(String),
    /// `FAIL` because of the phone's state.
    #[error("{problem}")]
    NotReady {
        /// The state that the text tells.
        state: AdbState,
        /// The server's words.
        problem: String,
    },
    /// `FAIL` with any other text.
    #[error("{0}")]
    Refused(String),
    /// The stream ended in mid-command.
    #[error("the stream ended in mid-command")]
    Lost,
    /// More output than farmhand reads.
    #[error("more than {0} bytes of output")]
    TooLong(usize),
    /// A file of this host.
    #[error("{0}")]
    HostFile(String),
    /// No answer within the deadline.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

impl AdbError {
    /// A socket error before the phone's service was open.
    pub(super) fn unreachable(error: &io::Error) -> Self {
        // Of the process and of the whole system; the same numbers on every Unix.
        const EMFILE: i32 = 24;
        const ENFILE: i32 = 23;
        match error.raw_os_error() {
            Some(EMFILE | ENFILE) => Self::NoSocket(error.to_string()),
            _ => Self::Unreachable(error.to_string()),
        }
    }

    /// The typed meaning of a `FAIL` text.
    pub(super) fn refusal(text: &str) -> Self {
        let problem = one_line(text);
        let state = if problem.contains("not found") || problem.starts_with("device offline") {
            AdbState::Offline
        } else if problem.starts_with("device unauthorized") {
            AdbState::Unauthorized
        } else if problem.starts_with("device still ") || problem.contains("no permissions") {
            AdbState::Other(problem.clone())
        } else {
            return Self::Refused(problem);
        };
        Self::NotReady { state, problem }
    }

    /// Whether the phone (and not the server, nor the request) is to blame: these count for its breaker.
    pub(super) fn blames_phone(&self) -> bool {
        matches!(self, Self::Lost | Self::TimedOut(_))
    }

    /// The label of metrics.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Self::Unreachable(_) | Self::Garbage(_) => "server_down",
            Self::NoSocket(_) => "no_socket",
            Self::NotReady { .. } => "not_ready",
            Self::Refused(_) | Self::TooLong(_) => "refused",
            Self::Lost => "lost",
            Self::HostFile(_) => "host_file",
            Self::TimedOut(_) => "timed_out",
        }
    }

    /// The same for the port's users: with the phone, the command and the server.
    pub(super) fn for_command(self, serial: &Serial, command: &'static str, server: &str) -> DriverError {
        let serial = serial.clone();
        match self {
            Self::Unreachable(problem) => DriverError::ServerDown {
                server: server.to_owned(),
                problem,
            },
            Self::Garbage(_) | Self::NoSocket(_) => DriverError::ServerDown {
                server: server.to_owned(),
                problem: self.to_string(),
            },
            Self::NotReady { state, problem } => DriverError::NotReady { serial, state, problem },
            Self::Refused(problem) => DriverError::Refused {
                serial,
                command,
                problem,
            },
            Self::Lost => DriverError::Lost { serial, command },
            Self::TooLong(_) => DriverError::Refused {
                serial,
                command,
                problem: self.to_string(),
            },
            Self::HostFile(problem) => DriverError::HostFile { problem },
            Self::TimedOut(after) => DriverError::TimedOut { serial, command, after },
        }
    }
}

/// A text of a phone or a server as it may stand in one log line: no line breaks, no control characters, short.
pub(super) fn one_line(text: &str) -> String {
    const MAX_CHARS: usize = 300;
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut line: String = words.chars().filter(|c| !c.is_control()).take(MAX_CHARS).collect();
    if words.chars().nth(MAX_CHARS).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fail_texts_of_the_server_become_states() {
        let state = |text: &str| match AdbError::refusal(text) {
            AdbError::NotReady { state, .. } => state,
            other => panic!("{text}: {other:?}"),
        };

        assert_eq!(state("device 'sim-1' not found"), AdbState::Offline);
        assert_eq!(state("device offline"), AdbState::Offline);
        assert_eq!(
            state("device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set"),
            AdbState::Unauthorized
        );
        assert_eq!(
            state("device still authorizing"),
            AdbState::Other("device still authorizing".into())
        );
        assert_eq!(AdbError::refusal("closed"), AdbError::Refused("closed".into()));
    }

    #[test]
    fn a_computer_without_open_files_is_not_a_server_that_is_away() {
        for errno in [23, 24] {
            let error = AdbError::unreachable(&io::Error::from_raw_os_error(errno));

            assert!(matches!(error, AdbError::NoSocket(_)), "{error:?}");
            assert!(error.to_string().contains("LimitNOFILE"), "{error}");
            assert!(!error.blames_phone());
        }
    }

    #[test]
    fn a_text_for_the_log_is_one_short_line() {
        let line = one_line(&format!("a\r\n\tb\u{1b}[31m {}", "x".repeat(1_000)));

        assert!(line.starts_with("a b[31m xxx"));
        assert_eq!(line.chars().count(), 301);
    }
}
