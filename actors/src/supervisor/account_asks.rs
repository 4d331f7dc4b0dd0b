//! What [`super::SupervisorHandle`] asks about accounts.

use std::sync::Arc;

use actix::{Addr, AsyncContext, Context, Handler, Message, MessageResult};

use super::{
    AccountEdit, NewAccount, SupervisorActor, SupervisorError,
    actor::AccountEntry,
    asks::{Reply, answer},
};
use crate::{
    account::{AccountActor, ChangeRecord, view::package_of},
    domain::{AccountChange, AccountPatch, AccountRecord, AccountStatus, Username},
    mail::tell,
    ports::StoreError,
};

/// An account's stored record, and its actor if one lives.
pub(super) type AccountFound = (AccountRecord, Option<Addr<AccountActor>>);

#[derive(Message)]
#[rtype(result = "Vec<AccountFound>")]
pub(super) struct ListAccounts;

#[derive(Message)]
#[rtype(result = "Result<AccountFound, SupervisorError>")]
pub(super) struct FindAccount(pub Username);

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct CreateAccount(pub NewAccount, pub Reply<()>);

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct PatchAccount(pub Username, pub AccountPatch, pub Reply<()>);

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct ImportAccounts(pub Vec<AccountEdit>, pub Reply<()>);

/// The account's actor has already agreed to give no more leases.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct DeleteRetired(pub Username, pub Reply<()>);

#[derive(Message)]
#[rtype(result = "()")]
struct AccountCreated(AccountRecord, Result<(), StoreError>, Reply<()>);

#[derive(Message)]
#[rtype(result = "()")]
struct AccountPatched(Username, Result<Option<AccountRecord>, StoreError>, Reply<()>);

#[derive(Message)]
#[rtype(result = "()")]
struct AccountsImported(Result<Vec<AccountRecord>, StoreError>, Reply<()>);

#[derive(Message)]
#[rtype(result = "()")]
struct AccountDeleted(Username, Result<bool, StoreError>, Reply<()>);

impl SupervisorActor {
    fn known_account(&self, username: &Username) -> Result<&AccountEntry, SupervisorError> {
        self.accounts
            .get(username)
            .ok_or_else(|| SupervisorError::UnknownAccount(username.clone()))
    }

    fn new_record(&self, new: NewAccount) -> Result<AccountRecord, SupervisorError> {
        if self.accounts.contains_key(&new.username) {
            return Err(SupervisorError::AccountExists(new.username));
        }
        if let Some(serial) = &new.serial {
            self.known_device(serial)?;
        }
        let status = if new.disabled {
            AccountStatus::Disabled
        } else {
            AccountStatus::Active
        };
        let record = AccountRecord {
            username: new.username,
            app: new.app,
            package: new.package,
            serial: new.serial,
            status,
            status_reason: None,
            evidence: None,
            cooldown_until: None,
            status_revision: 0,
            limits: new.limits,
            last_used: None,
            created_at: self.parts.clock.now().wall,
        };
        self.check_app(&record)?;
        Ok(record)
    }

    fn check_patch(&self, username: &Username, patch: &AccountPatch) -> Result<(), SupervisorError> {
        let mut record = self.known_account(username)?.record.clone();
        if let Some(Some(serial)) = &patch.serial {
            self.known_device(serial)?;
        }
        let resting = patch.status == Some(AccountStatus::Cooldown) && patch.cooldown_until.is_some();
        if let Some(status @ (AccountStatus::NeedsAttention | AccountStatus::Cooldown)) =
            patch.status.filter(|_| !resting)
        {
            let problem = format!(
                "status {} cannot be set by hand: only active and disabled can",
                status.as_str()
            );
            return Err(SupervisorError::WrongState(problem));
        }
        let stopped = matches!(record.status, AccountStatus::NeedsAttention | AccountStatus::Disabled);
        if stopped && patch.cooldown_until.is_some() && patch.status.is_none() {
            let problem = format!(
                "account {username} is {}, which the end of a rest would end, too: set status cooldown beside \
                 cooldown_until if that is meant",
                record.status.as_str()
            );
            return Err(SupervisorError::WrongState(problem));
        }
        record.app = patch.app.clone().unwrap_or(record.app);
        record.package = patch.package.clone().unwrap_or(record.package);
        self.check_app(&record)
    }

    fn checked(&self, edit: AccountEdit) -> Result<AccountChange, SupervisorError> {
        match edit {
            AccountEdit::New(new) => self.new_record(new).map(AccountChange::Create),
            AccountEdit::Patch(username, patch) => {
                self.check_patch(&username, &patch)?;
                Ok(AccountChange::Patch(username, patch))
            }
        }
    }

    fn check_app(&self, record: &AccountRecord) -> Result<(), SupervisorError> {
        if package_of(record, &self.parts.settings).is_some() {
            return Ok(());
        }
        let known: Vec<&str> = self.parts.settings.apps.keys().map(String::as_str).collect();
        let app = &record.app;
        let problem = format!(
            "app {app:?} is not known (known: {}): give the account its package",
            known.join(", ")
        );
        Err(SupervisorError::WrongState(problem))
    }
}

impl Handler<ListAccounts> for SupervisorActor {
    type Result = MessageResult<ListAccounts>;

    fn handle(&mut self, _: ListAccounts, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.accounts.values().map(found).collect())
    }
}

impl Handler<FindAccount> for SupervisorActor {
    type Result = Result<AccountFound, SupervisorError>;

    fn handle(&mut self, FindAccount(username): FindAccount, _: &mut Self::Context) -> Self::Result {
        Ok(found(self.known_account(&username)?))
    }
}

impl Handler<CreateAccount> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, CreateAccount(new, reply): CreateAccount, ctx: &mut Self::Context) {
        let record = match self.new_record(new) {
            Ok(record) => record,
            Err(error) => return answer(reply, Err(error)),
        };
        let (store, addr) = (Arc::clone(&self.parts.store), ctx.address());
        actix_rt::spawn(async move {
            let stored = store.create_account(record.clone()).await;
            tell(&addr, AccountCreated(record, stored, reply));
        });
    }
}

impl Handler<AccountCreated> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, AccountCreated(record, stored, reply): AccountCreated, ctx: &mut Self::Context) {
        let result = match stored {
            Ok(()) => {
                self.add_account(record, ctx);
                Ok(())
            }
            Err(StoreError::Conflict(_)) => Err(SupervisorError::AccountExists(record.username)),
            Err(error) => Err(SupervisorError::Store(error)),
        };
        answer(reply, result);
    }
}

impl Handler<PatchAccount> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, PatchAccount(username, patch, reply): PatchAccount, ctx: &mut Self::Context) {
        if let Err(error) = self.check_patch(&username, &patch) {
            return answer(reply, Err(error));
        }
        let (store, addr) = (Arc::clone(&self.parts.store), ctx.address());
        actix_rt::spawn(async move {
            let stored = store.patch_account(&username, patch).await;
            tell(&addr, AccountPatched(username, stored, reply));
        });
    }
}

impl Handler<AccountPatched> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, AccountPatched(username, stored, reply): AccountPatched, _: &mut Self::Context) {
        let result = match stored {
            Ok(Some(record)) => {
                self.apply_record(record);
                Ok(())
            }
            Ok(None) => Err(SupervisorError::UnknownAccount(username)),
            Err(error) => Err(SupervisorError::Store(error)),
        };
        answer(reply, result);
    }
}

impl Handler<ImportAccounts> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, ImportAccounts(edits, reply): ImportAccounts, ctx: &mut Self::Context) {
        let changes: Result<Vec<_>, _> = edits.into_iter().map(|edit| self.checked(edit)).collect();
        let changes = match changes {
            Ok(changes) => changes,
            Err(error) => return answer(reply, Err(error)),
        };
        let (store, addr) = (Arc::clone(&self.parts.store), ctx.address());
        actix_rt::spawn(async move {
            let stored = store.import_accounts(changes).await;
            tell(&addr, AccountsImported(stored, reply));
        });
    }
}

impl Handler<AccountsImported> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, AccountsImported(stored, reply): AccountsImported, ctx: &mut Self::Context) {
        let result = stored.map(|records| self.take_in(records, ctx));
        answer(reply, result.map_err(SupervisorError::Store));
    }
}

impl SupervisorActor {
    fn take_in(&mut self, records: Vec<AccountRecord>, ctx: &mut Context<Self>) {
        for record in records {
            if self.accounts.contains_key(&record.username) {
                self.apply_record(record);
            } else {
                self.add_account(record, ctx);
            }
        }
    }

    fn apply_record(&mut self, record: AccountRecord) {
        let Some(account) = self.accounts.get_mut(&record.username) else {
            return;
        };
        let before = std::mem::replace(&mut account.record, record.clone());
        if before.status_revision > record.status_revision {
            account.record.take_status_of(&before);
        }
        if let Some(living) = &account.living {
            tell(&living.addr, ChangeRecord(record.clone()));
        }
        // Told here too, so that a task submitted after the answer already meets the new record.
        if let Some(account) = self.accounts.get(&record.username) {
            self.introduce_account(account);
        }
    }

    fn forget_account(
        &mut self,
        username: &Username,
        stored: Result<bool, StoreError>,
        ctx: &mut Context<Self>,
    ) -> Result<(), SupervisorError> {
        match stored {
            Ok(true) => {
                self.remove_account(username, ctx);
                Ok(())
            }
            Ok(false) => Err(SupervisorError::UnknownAccount(username.clone())),
            Err(error) => {
                // It stays: give leases again.
                if let Some(record) = self.accounts.get(username).map(|account| account.record.clone()) {
                    self.apply_record(record);
                }
                Err(match error {
                    // Its actor was rebuilt meanwhile and does not know that an attempt has it.
                    StoreError::Conflict(problem) => SupervisorError::WrongState(problem),
                    error => SupervisorError::Store(error),
                })
            }
        }
    }
}

impl Handler<DeleteRetired> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, DeleteRetired(username, reply): DeleteRetired, ctx: &mut Self::Context) {
        let (store, addr) = (Arc::clone(&self.parts.store), ctx.address());
        actix_rt::spawn(async move {
            let stored = store.delete_account(&username).await;
            tell(&addr, AccountDeleted(username, stored, reply));
        });
    }
}

impl Handler<AccountDeleted> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, AccountDeleted(username, stored, reply): AccountDeleted, ctx: &mut Self::Context) {
        answer(reply, self.forget_account(&username, stored, ctx));
    }
}

fn found(account: &AccountEntry) -> AccountFound {
    let living = account.living.as_ref().map(|living| living.addr.clone());
    (account.record.clone(), living)
}
