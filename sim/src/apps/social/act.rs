//! What taps and Back do: pages, search, accounts, login.

use serde_json::json;

use super::{Banner, Screen, SearchTab, Sheet, SocialAction, SocialApp, SocialData, Tab};
use crate::{
    apps::Field,
    world::{
        clock::Millis,
        fault::{FaultKind, Faults},
        social::canonical_name,
        state::Desk,
    },
};

/// What keeps a person from using the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    Challenge,
    LoggedOut,
}

impl SocialApp {
    /// What stands in front of the app's pages, if anything does. A fault of one account stands only before the pages
    /// on which that account does something, so that people can go to another account.
    pub(crate) fn gate(&self, faults: &Faults, data: &SocialData) -> Option<Gate> {
        let package = self.network.package();
        let stands = |kind| {
            let fault = faults.get(kind).filter(|_| faults.concerns(kind, package));
            fault.is_some_and(|fault| match &fault.account {
                None => true,
                Some(account) => data.current.as_ref() == Some(account) && !matches!(self.screen(), Screen::Tab(_)),
            })
        };
        if stands(FaultKind::Challenge) {
            Some(Gate::Challenge)
        } else if data.current.is_none() || stands(FaultKind::LoggedOut) {
            Some(Gate::LoggedOut)
        } else {
            None
        }
    }

    /// Whether Back leads away from what stands in front: only when other accounts are not concerned.
    pub(crate) fn is_shut(&self, faults: &Faults, data: &SocialData) -> bool {
        let open = |kind| faults.get(kind).is_some_and(|fault| fault.account.is_some());
        match self.gate(faults, data) {
            None => false,
            Some(Gate::Challenge) => !open(FaultKind::Challenge),
            Some(Gate::LoggedOut) => !open(FaultKind::LoggedOut) || data.current.is_none(),
        }
    }

    /// Carries out a tap. `point` is where in its node it was, 0..=100 from the left.
    pub(crate) fn act(&mut self, action: &SocialAction, point: u8, desk: &mut Desk<'_>) {
        use SocialAction as A;
        match action {
            A::Back => {
                self.back(desk);
            }
            A::OpenTab(tab) => self.open_tab(*tab, desk),
            A::OpenSearch => {
                self.push(Screen::Search, desk);
                self.fields.remove(&Field::Search);
                self.searched = None;
                desk.state.focus_on(Field::Search);
            }
            A::SubmitSearch => self.submit_search(desk),
            A::ShowSearchTab(tab) => self.search_tab = *tab,
            A::OpenPerson(name) => self.open_person(name, desk),
            A::OpenSound(sound) => self.push(Screen::Sound(sound.clone()), desk),
            A::OpenStory(name, index) => self.open_story(name, *index),
            A::OpenDetail(name, index) => self.push(Screen::Detail(name.clone(), *index), desk),
            A::OpenAccounts => self.sheet = Some(Sheet::Accounts),
            A::CloseSheet | A::CloseVolumes => {
                desk.state.blur();
                self.close_sheet(desk);
            }
            A::SwitchTo(name) => self.switch_to(name, desk),
            A::AddAccount => {
                self.sheet = None;
                self.push(Screen::Login, desk);
            }
            A::LogIn => self.log_in(desk),
            A::FirstRun(_) => {
                let dialogs = &mut desk.data(self.network).first_run;
                if !dialogs.is_empty() {
                    dialogs.remove(0);
                }
            }
            A::Follow(name) => self.follow(name, desk),
            A::AskUnfollow(name) => self.sheet = Some(Sheet::Unfollow(name.clone())),
            A::Unfollow(name) => self.unfollow(name, desk),
            _ => self.compose(action, point, desk),
        }
    }

    /// The Back key; `false`: nothing to go back to, the app leaves.
    pub(crate) fn back(&mut self, desk: &mut Desk<'_>) -> bool {
        desk.state.blur();
        if self.sheet.is_some() {
            self.close_sheet(desk);
            return true;
        }
        match self.screen() {
            Screen::Post | Screen::Editor => {
                self.sheet = Some(Sheet::LeaveDraft);
                true
            }
            Screen::Tab(Tab::Home) => false,
            Screen::Tab(_) => {
                self.open_tab(Tab::Home, desk);
                true
            }
            _ => {
                self.stack.pop();
                self.scroll.clear();
                if self.stack.is_empty() {
                    self.stack.push(Screen::Tab(Tab::Home));
                }
                true
            }
        }
    }

    /// Forgets what should no longer show.
    pub(crate) fn expire(&mut self, now: Millis) {
        self.banner.take_if(|banner: &mut Banner| banner.until <= now);
    }

    /// Goes to a page of the bottom bar.
    pub(crate) fn open_tab(&mut self, tab: Tab, desk: &mut Desk<'_>) {
        self.stack = vec![Screen::Tab(tab)];
        self.leave(desk);
    }

    /// Goes to a further page.
    pub(crate) fn push(&mut self, screen: Screen, desk: &mut Desk<'_>) {
        self.stack.push(screen);
        self.leave(desk);
    }

    /// The page of a person, or the one that says that there is none.
    pub(crate) fn open_person(&mut self, name: &str, desk: &mut Desk<'_>) {
        let name = canonical_name(name);
        if name == desk.account(self.network) {
            self.open_tab(Tab::Profile, desk);
            return;
        }
        let known = desk.world.social().person(self.network, &name).is_some();
        self.push(if known { Screen::Person(name) } else { Screen::Absent }, desk);
    }

    /// A person's story of that place; stories follow one another without lying on each other.
    fn open_story(&mut self, name: &str, index: usize) {
        self.stack.pop_if(|screen| matches!(screen, Screen::Story(..)));
        self.stack.push(Screen::Story(name.to_owned(), index));
    }

    fn leave(&mut self, desk: &mut Desk<'_>) {
        self.sheet = None;
        self.scroll.clear();
        desk.state.blur();
    }

    fn close_sheet(&mut self, desk: &mut Desk<'_>) {
        if self.sheet == Some(Sheet::Volumes) {
            self.take_volumes();
        }
        self.sheet = None;
        desk.state.blur();
    }

    /// Enter, or the search button.
    pub(crate) fn submit_search(&mut self, desk: &mut Desk<'_>) {
        desk.state.blur();
        let query = self.value(Field::Search).trim().to_owned();
        self.searched = (!query.is_empty()).then_some(query);
        self.search_tab = SearchTab::Users;
        self.scroll.clear();
    }

    fn switch_to(&mut self, name: &str, desk: &mut Desk<'_>) {
        let from = desk.account(self.network);
        self.sheet = None;
        if from == name || !desk.data(self.network).accounts.iter().any(|account| account == name) {
            return;
        }
        desk.data(self.network).current = Some(name.to_owned());
        desk.record(
            self.network,
            name,
            "switch_account",
            json!({ "from": from, "to": name }),
        );
        *self = Self {
            banner: self.banner.take(),
            ..Self::new(self.network)
        };
        self.open_tab(Tab::Profile, desk);
        desk.toast(format!("Switched to {name}"));
    }

    fn log_in(&mut self, desk: &mut Desk<'_>) {
        let name = canonical_name(self.value(Field::LoginName));
        let known = desk.world.social().person(self.network, &name).is_some();
        if !known || self.value(Field::LoginPassword).is_empty() {
            desk.toast("Incorrect username or password");
            return;
        }
        self.fields.clear();
        desk.sign_in(self.network, &name);
        self.open_tab(Tab::Home, desk);
    }
}

impl Desk<'_> {
    /// A person has logged in on this phone; the account becomes the current one.
    pub(crate) fn sign_in(&mut self, network: crate::world::Network, name: &str) {
        self.world.social().join(network, name);
        let data = self.data(network);
        if !data.accounts.iter().any(|account| account == name) {
            data.accounts.push(name.to_owned());
        }
        data.current = Some(name.to_owned());
        self.state.faults.end(FaultKind::LoggedOut);
        self.record(network, name, "login", json!({ "package": network.package() }));
    }
}
