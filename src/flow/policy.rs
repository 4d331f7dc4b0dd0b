//! What a flow may do to a phone with logged-in accounts: by default nothing that could lose an account.
//!
//! Checked when a flow is loaded, so that a refusal is never a surprise on the phone, and again at each step for what
//! only an expression knows (a link's scheme).

use std::collections::BTreeSet;

use super::{
    model::{Command, Flow, Step, When, each_step},
    problem::Problems,
};

/// Something that a flow may only do when its `farmhand.policy.allow` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// `clearState`, `launchApp` with `clearState`.
    ClearState,
    /// `all: allow`: more permissions than the flow names.
    Permissions,
    /// Cuts the Wi-Fi that adb may come over.
    AirplaneMode,
    /// JavaScript files.
    RunScript,
    /// `setLocation`, `travel`.
    MockLocation,
    /// Requests of scripts.
    Http,
}

impl Permission {
    /// All.
    pub const ALL: [Self; 6] = [
        Self::ClearState,
        Self::Permissions,
        Self::AirplaneMode,
        Self::RunScript,
        Self::MockLocation,
        Self::Http,
    ];

    /// The word for it in `farmhand.policy.allow`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClearState => "clearState",
            Self::Permissions => "permissions",
            Self::AirplaneMode => "airplaneMode",
            Self::RunScript => "runScript",
            Self::MockLocation => "mockLocation",
            Self::Http => "http",
        }
    }

    /// The permission named by `word`, if it is one.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.as_str() == word)
    }
}

/// What a flow may do beyond the default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// What it may do.
    pub allow: BTreeSet<Permission>,
    /// Schemes of links that it may open, lower case.
    pub link_schemes: BTreeSet<String>,
}

impl Policy {
    /// Whether the flow may do this.
    #[must_use]
    pub fn allows(&self, permission: Permission) -> bool {
        self.allow.contains(&permission)
    }

    /// Why a step may not run, if it may not.
    #[must_use]
    pub fn refusal(&self, step: &Step) -> Option<String> {
        match &step.command {
            Command::OpenLink(_) if self.link_schemes.is_empty() => Some(
                "the policy allows no links; if this flow needs them, put their schemes under \
                 `farmhand.policy.link_schemes`"
                    .to_owned(),
            ),
            Command::OpenLink(open) if !open.link.starts_with("${") => self.refuses_link(&open.link),
            _ => self.refuses(&needed(step)),
        }
    }

    /// Why something may not be done, if it may not: all that is missing.
    #[must_use]
    pub fn refuses(&self, needed: &[Permission]) -> Option<String> {
        let missing = needed.iter().filter(|needed| !self.allows(**needed));
        let missing: Vec<String> = missing.map(|missing| format!("`{}`", missing.as_str())).collect();
        (!missing.is_empty()).then(|| {
            format!(
                "the policy does not allow {}; if this flow needs it, put it under `farmhand.policy.allow`",
                missing.join(" and ")
            )
        })
    }

    /// Why a link may not be opened, if it may not.
    #[must_use]
    pub fn refuses_link(&self, link: &str) -> Option<String> {
        let Some((scheme, _)) = link.split_once(':') else {
            return Some(format!("`{link}` is not a link: it has no scheme, e.g. https:"));
        };
        let scheme = scheme.to_lowercase();
        if scheme.contains("${") || self.link_schemes.contains(&scheme) {
            return None;
        }
        Some(format!(
            "the policy does not allow links of the scheme `{scheme}`; if this flow needs them, put it under \
             `farmhand.policy.link_schemes`"
        ))
    }
}

/// All that a step needs to be allowed.
fn needed(step: &Step) -> Vec<Permission> {
    match &step.command {
        Command::ClearState(_) => vec![Permission::ClearState],
        Command::LaunchApp(launch) => {
            let cleared = launch.clear_state.then_some(Permission::ClearState);
            let granted = launch.permissions.as_deref().and_then(all_allowed);
            cleared.into_iter().chain(granted).collect()
        }
        Command::SetPermissions(_, permissions) => all_allowed(permissions).into_iter().collect(),
        Command::AirplaneMode(_) => vec![Permission::AirplaneMode],
        Command::RunScript(_) => vec![Permission::RunScript],
        Command::SetLocation(..) | Command::Travel(..) => vec![Permission::MockLocation],
        _ => Vec::new(),
    }
}

fn all_allowed(permissions: &[(String, super::model::Text)]) -> Option<Permission> {
    permissions
        .iter()
        .any(|(name, value)| name == "all" && value.as_ref() != "deny" && value.as_ref() != "unset")
        .then_some(Permission::Permissions)
}

/// Notes every step of a flow, and of all that it includes, that its policy refuses.
pub fn check(flow: &Flow, policy: &Policy, problems: &mut Problems) {
    each_step(flow, &mut |step| {
        if let Some(refusal) = policy.refusal(step) {
            problems.add(&step.place, format!("Not Allowed: {}", step.key), refusal);
        }
    });
}

/// A condition that nothing on an Android phone can meet is not a fault: flows are shared between platforms.
#[must_use]
pub fn platform_holds(when: &When) -> bool {
    when.platform.as_deref().is_none_or(|platform| platform == "android")
}
