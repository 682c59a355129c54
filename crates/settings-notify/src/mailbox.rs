//! A mailbox on this machine's disk, for development and for trying the service out: nothing leaves the machine.
//!
//! One JSON file per mail, named after the delivery. The files hold one-time links, so nobody but the owner can read them.
//! Several processes may use one folder: every change is a rename or a removal.
use crate::{Clock, templates};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use settings_domain::{
    erasure::mentions,
    ids::DeliveryId,
    ports::mail::{KeptMail, Mail, MailError, Mailer},
    text::{Email, EmailKey},
};
use std::{
    collections::BTreeSet,
    fmt,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use time::OffsetDateTime;

/// Most mails that are kept; the oldest go first.
const KEPT: usize = 1000;
/// Most mails that are listed.
const LISTED: usize = 200;

/// A mail as it lies in the mailbox. Holds the one-time link, so its `Debug` shows the id and time alone.
#[derive(Clone, Serialize, Deserialize)]
pub struct StoredMail {
    /// The delivery.
    pub id: DeliveryId,
    /// The recipient, as stored.
    pub to: Email,
    /// One line of plain text.
    pub subject: String,
    /// The text form.
    pub text: String,
    /// The HTML form. Everything of strangers in it is escaped; show it in a sandbox all the same.
    pub html: String,
    /// The link that the mail is about, if it is about one.
    pub link: Option<String>,
    /// When it was sent.
    #[serde(with = "rfc3339")]
    pub sent_at: OffsetDateTime,
}

impl fmt::Debug for StoredMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredMail").field("id", &self.id).field("sent_at", &self.sent_at).finish_non_exhaustive()
    }
}

/// The mailbox could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MailboxError {
    /// The folder is open to other users and holds other things than mail: closing it could lock those users out.
    #[error("the mailbox folder is readable by others and holds other files: name a folder of its own")]
    NotAMailbox,
    /// The disk, or the rights on it.
    #[error("the mailbox cannot be used")]
    Io(#[from] io::Error),
}

/// Keeps mail in a folder instead of sending it.
#[derive(Clone)]
pub struct LocalMailbox {
    /// Locked for each operation, so that a listing and a removal do not run into each other.
    folder: Arc<Mutex<Folder>>,
    clock: Clock,
}

impl fmt::Debug for LocalMailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalMailbox").finish_non_exhaustive()
    }
}

impl LocalMailbox {
    /// Opens the mailbox in a folder, which is made if it is missing (rights 0700, also for an existing one).
    pub async fn open(dir: &Path, clock: Clock) -> Result<Self, MailboxError> {
        let dir = dir.to_owned();
        let folder = blocking(move || Folder::open(dir)).await?;
        Ok(Self { folder: Arc::new(Mutex::new(folder)), clock })
    }

    /// The newest 200 mails, newest first.
    pub async fn list(&self) -> Result<Vec<StoredMail>, MailboxError> {
        self.run(Folder::list).await
    }

    /// Removes all mail to an address, and returns how much there was. For erasing a person's data.
    pub async fn purge(&self, matching: &EmailKey) -> Result<usize, MailboxError> {
        let matching = matching.clone();
        self.run(move |folder| folder.purge(&matching)).await
    }

    async fn run<T, F>(&self, work: F) -> Result<T, MailboxError>
    where
        T: Send + 'static,
        F: FnOnce(&Folder) -> Result<T, MailboxError> + Send + 'static,
    {
        let folder = Arc::clone(&self.folder);
        // A panic under the lock leaves nothing half-done in memory: the folder is only a path.
        blocking(move || work(&folder.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

#[async_trait]
impl Mailer for LocalMailbox {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let rendered = templates::render(&mail.letter);
        let stored = StoredMail {
            id: mail.delivery,
            to: mail.to.clone(),
            subject: rendered.subject,
            text: rendered.text,
            html: rendered.html,
            link: templates::link(&mail.letter).map(str::to_owned),
            sent_at: (self.clock)(),
        };
        // A full disk can be emptied: nothing that happens here is final.
        self.run(move |folder| folder.add(&stored)).await.map_err(|error| MailError::Unavailable(Box::new(error)))?;
        tracing::debug!(delivery = %mail.delivery, "the mail is in the local mailbox");
        Ok(())
    }
}

#[async_trait]
impl KeptMail for LocalMailbox {
    async fn forget(&self, texts: &BTreeSet<String>) -> Result<usize, MailError> {
        let texts = texts.clone();
        let forgotten = self.run(move |folder| folder.forget(&texts)).await;
        forgotten.map_err(|error| MailError::Unavailable(Box::new(error)))
    }
}

async fn blocking<T, F>(work: F) -> Result<T, MailboxError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, MailboxError> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await.map_err(|e| MailboxError::Io(io::Error::other(e)))?
}

/// The folder, without `async`.
struct Folder(PathBuf);

/// What a file of the folder is.
enum Entry {
    Mail(DeliveryId),
    /// Half of a mail, left by a crash.
    Leftover,
    Other,
}

impl Entry {
    fn of(path: &Path) -> Self {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if let Some(Ok(id)) = name.strip_suffix(".json").map(str::parse) {
            Self::Mail(id)
        } else if name.starts_with('.') && name.ends_with(".mail-tmp") {
            Self::Leftover
        } else {
            Self::Other
        }
    }
}

impl Folder {
    fn open(dir: PathBuf) -> Result<Self, MailboxError> {
        DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        let folder = Self(dir);
        let mode = fs::metadata(&folder.0)?.permissions().mode();
        if mode & 0o077 != 0 {
            // Somebody may have named `/tmp`.
            if folder.entries()?.iter().any(|path| matches!(Entry::of(path), Entry::Other)) {
                return Err(MailboxError::NotAMailbox);
            }
            fs::set_permissions(&folder.0, Permissions::from_mode(0o700))?;
        }
        folder.remove_leftovers()?;
        Ok(folder)
    }

    fn add(&self, mail: &StoredMail) -> Result<(), MailboxError> {
        let place = self.0.join(format!("{}.json", mail.id));
        if place.try_exists()? {
            return Ok(());
        }
        let json = serde_json::to_vec_pretty(mail).map_err(io::Error::from)?;
        let draft = self.0.join(format!(".{}.{}.mail-tmp", mail.id, std::process::id()));
        let written = write(&draft, &json).and_then(|()| fs::rename(&draft, &place));
        if let Err(error) = written {
            remove(&draft)?;
            return Err(error.into());
        }
        // The rename is an entry of the folder, which has a cache of its own.
        File::open(&self.0)?.sync_all()?;
        self.drop_oldest(mail.id)
    }

    fn list(&self) -> Result<Vec<StoredMail>, MailboxError> {
        let mut mails: Vec<StoredMail> = self.mails()?.into_iter().filter_map(|(_, _, mail)| mail).collect();
        mails.sort_by_key(|mail| std::cmp::Reverse((mail.sent_at, mail.id)));
        mails.truncate(LISTED);
        Ok(mails)
    }

    fn forget(&self, texts: &BTreeSet<String>) -> Result<usize, MailboxError> {
        self.remove_where(|mail| {
            let link = mail.link.as_deref().unwrap_or_default();
            let said = [mail.to.as_str(), mail.to.key().as_str(), &mail.subject, &mail.text, &mail.html, link];
            texts.iter().any(|t| said.iter().any(|s| mentions(s, t)))
        })
    }

    fn purge(&self, matching: &EmailKey) -> Result<usize, MailboxError> {
        self.remove_where(|mail| mail.to.key() == matching)
    }

    fn remove_where(&self, matches: impl Fn(&StoredMail) -> bool) -> Result<usize, MailboxError> {
        let mut purged = 0;
        for (path, _, mail) in self.mails()? {
            // What cannot be read may well be one, and nobody will miss it.
            if mail.is_none_or(|mail| matches(&mail)) {
                remove(&path)?;
                purged += 1;
            }
        }
        self.remove_leftovers()?;
        File::open(&self.0)?.sync_all()?;
        Ok(purged)
    }

    /// Keeps the folder at [`KEPT`] mails. The one just added stays whatever the clock says.
    fn drop_oldest(&self, added: DeliveryId) -> Result<(), MailboxError> {
        let count = self.entries()?.iter().filter(|path| matches!(Entry::of(path), Entry::Mail(_))).count();
        let Some(excess @ 1..) = count.checked_sub(KEPT) else { return Ok(()) };
        let mut mails = self.mails()?;
        mails.retain(|(_, id, _)| *id != added);
        // `None` sorts first: unreadable files go before old ones.
        mails.sort_by_key(|(_, id, mail)| (mail.as_ref().map(|mail| mail.sent_at), *id));
        for (path, ..) in mails.iter().take(excess) {
            remove(path)?;
        }
        Ok(())
    }

    /// All mails with their files, in no order; `None` for files that hold no mail.
    fn mails(&self) -> Result<Vec<(PathBuf, DeliveryId, Option<StoredMail>)>, MailboxError> {
        let mut mails = Vec::new();
        for path in self.entries()? {
            let Entry::Mail(id) = Entry::of(&path) else { continue };
            match fs::read(&path) {
                Ok(json) => {
                    let mail = serde_json::from_slice(&json).ok();
                    if mail.is_none() {
                        tracing::warn!(delivery = %id, "a file of the local mailbox holds no mail");
                    }
                    mails.push((path, id, mail));
                }
                // Another process was faster.
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(mails)
    }

    fn entries(&self) -> Result<Vec<PathBuf>, MailboxError> {
        Ok(fs::read_dir(&self.0)?.map(|entry| entry.map(|e| e.path())).collect::<io::Result<_>>()?)
    }

    fn remove_leftovers(&self) -> Result<(), MailboxError> {
        for path in self.entries()? {
            if matches!(Entry::of(&path), Entry::Leftover) {
                remove(&path)?;
            }
        }
        Ok(())
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// `time`'s own serde support is a feature that nothing else here needs.
mod rfc3339 {
    use serde::{Deserialize, Deserializer, Serializer, de, ser};
    use std::borrow::Cow;
    use time::{OffsetDateTime, format_description::well_known::Rfc3339};

    pub(super) fn serialize<S: Serializer>(at: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&at.format(&Rfc3339).map_err(ser::Error::custom)?)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OffsetDateTime, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        OffsetDateTime::parse(&text, &Rfc3339).map_err(de::Error::custom)
    }
}
