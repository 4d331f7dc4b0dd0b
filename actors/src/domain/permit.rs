//! What an account lets an attempt do: asked before each act, since people change accounts while attempts run.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::limits::Counted;

/// Shared by an attempt and the account that it has. The usual one allows everything.
#[derive(Debug, Default)]
pub struct Permit {
    /// What counted towards the limits before the attempt.
    before: Counted,
    terms: Mutex<Terms>,
}

#[derive(Debug, Default)]
struct Terms {
    acts: Option<u32>,
    refusal: Option<String>,
    only_looks: Option<String>,
    began_anew: bool,
}

/// Why an attempt may not act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It has acted as often as the account's limits allow.
    Limit,
    /// The account says so; for people.
    Account(String),
}

impl Permit {
    /// A permit for an attempt before which so much counted.
    #[must_use]
    pub fn after(before: Counted) -> Self {
        let terms = Mutex::default();
        Self { before, terms }
    }

    /// What counted towards the limits before the attempt.
    #[must_use]
    pub fn before(&self) -> Counted {
        self.before
    }

    /// How many effects the attempt may have in all, `None`: any number, and why it may have none at all.
    pub fn set(&self, acts: Option<u32>, refusal: Option<String>) {
        let mut terms = self.terms();
        terms.acts = acts;
        terms.refusal = refusal;
    }

    /// An attempt that looks whether an effect took place does nothing besides.
    pub fn only_look(&self, reason: String) {
        self.terms().only_looks = Some(reason);
    }

    /// Whether the attempt may act once more, after so many times.
    ///
    /// # Errors
    /// It may not.
    pub fn may_act(&self, acts: u32) -> Result<(), Refusal> {
        let terms = self.terms();
        if let Some(reason) = &terms.refusal {
            return Err(Refusal::Account(reason.clone()));
        }
        match terms.acts.is_some_and(|most| acts >= most) {
            true => Err(Refusal::Limit),
            false => Ok(()),
        }
    }

    /// An attempt that has looked goes on to do the work: that is a start.
    ///
    /// # Errors
    /// It may not: another attempt has to, later.
    pub fn begin_anew(&self) -> Result<(), String> {
        let mut terms = self.terms();
        if let Some(reason) = terms.refusal.as_ref().or(terms.only_looks.as_ref()) {
            return Err(reason.clone());
        }
        terms.began_anew = true;
        Ok(())
    }

    /// Whether the attempt has gone on to do the work.
    #[must_use]
    pub fn began_anew(&self) -> bool {
        self.terms().began_anew
    }

    fn terms(&self) -> MutexGuard<'_, Terms> {
        self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_account_says_holds_before_the_next_act_of_the_attempt_that_has_it() {
        let permit = Permit::default();
        assert_eq!(permit.may_act(1_000), Ok(()));
        permit.set(Some(2), None);
        assert_eq!((permit.may_act(1), permit.may_act(2)), (Ok(()), Err(Refusal::Limit)));
        permit.set(Some(2), Some("is disabled".to_owned()));
        assert_eq!(permit.may_act(0), Err(Refusal::Account("is disabled".to_owned())));
        permit.set(None, None);
        assert_eq!(permit.may_act(2), Ok(()));
    }

    #[test]
    fn an_attempt_that_only_looks_does_not_begin_anew() {
        let permit = Permit::default();
        permit.only_look("rests".to_owned());
        assert_eq!(permit.begin_anew(), Err("rests".to_owned()));
        assert!(!permit.began_anew());

        let free = Permit::default();
        assert_eq!(free.begin_anew(), Ok(()));
        assert!(free.began_anew());
    }
}
