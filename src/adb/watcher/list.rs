//! The adb server's short list of phones: `serial`, tab, state, one line each.

use farmhand_actors::domain::AdbState;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) adb_serial: String,
    pub(super) state: AdbState,
}

/// Reads the list. States may be whole sentences (`no permissions (user x is not in the plugdev group); see [http://…]`).
pub(super) fn parse(list: &str) -> Vec<Listed> {
    let lines = list
        .lines()
        .filter_map(|line| line.split_once('\t').or_else(|| line.split_once("  ")));
    lines
        .filter(|(adb_serial, _)| !adb_serial.trim().is_empty())
        .map(|(adb_serial, state)| Listed {
            adb_serial: adb_serial.trim().to_owned(),
            state: state_of(state.trim()),
        })
        .collect()
}

fn state_of(text: &str) -> AdbState {
    match text {
        "device" => AdbState::Device,
        "offline" => AdbState::Offline,
        "unauthorized" => AdbState::Unauthorized,
        other => AdbState::Other(other.to_owned()),
    }
}

/// What a person can do about a phone in this state.
pub(super) fn mend_of(state: &AdbState) -> String {
    match state {
        AdbState::Device => "it is usable".to_owned(),
        other => format!("it {}; {}", other.meaning(), other.mend()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_a_list_is_read() {
        let list = "R58M\tdevice\n127.0.0.1:15601\toffline\nx\tunauthorized\ny\trecovery\n\
            z\tno permissions (user in plugdev group; are your udev rules wrong?); see [http://x]\n(no serial number)\thost\n";

        let states: Vec<(String, AdbState)> = parse(list)
            .into_iter()
            .map(|listed| (listed.adb_serial, listed.state))
            .collect();

        assert_eq!(states[0], ("R58M".into(), AdbState::Device));
        assert_eq!(states[1], ("127.0.0.1:15601".into(), AdbState::Offline));
        assert_eq!(states[2].1, AdbState::Unauthorized);
        assert_eq!(states[3].1, AdbState::Other("recovery".into()));
        assert!(matches!(&states[4].1, AdbState::Other(text) if text.starts_with("no permissions (user in")));
        assert_eq!(states.len(), 6);
    }

    #[test]
    fn lines_that_are_none_are_left_out() {
        assert_eq!(parse(""), []);
        assert_eq!(parse("\n\tdevice\nabc\n\u{0}\n"), []);
    }
}
