//! `audit verify`, `audit public-key` and `audit checkpoint`.
use crate::{
    audit_arguments::{AuditCommand, Verify},
    compose,
    config::Config,
    database::Database,
    failure::Failure,
};
use mail_parser::{Message, MessageParser, PartType};
use settings_app::App;
use settings_crypto::{CheckpointError, CheckpointKey, ExportFault, ExportVerifier, Witness, found_notes};
use settings_domain::{
    audit::export::{CheckpointLine, Line, hex, instant},
    ids::WorkspaceId,
    ports::StoreError,
};
use std::{
    fs::File,
    io::{BufRead, BufReader, Read as _},
    path::Path,
};

/// What the platform's own chain is called here, which is its slug.
const PLATFORM: &str = "system";
/// The longest line of an export: an event's is far shorter, and a file that is no export ends the reading here.
const MAX_LINE: u64 = 4 * 1024 * 1024;
/// The largest file that notes are looked for in.
const MAX_WITNESS: u64 = 64 * 1024 * 1024;

/// Runs one of them.
pub(crate) async fn run(config: &Config, command: AuditCommand) -> Result<(), Failure> {
    match command {
        AuditCommand::Verify(verify) => match (&verify.export, &verify.public_key) {
            (Some(export), Some(key)) => offline(export, &public_key(key)?, &verify.against),
            _ => online(config, &verify).await,
        },
        AuditCommand::PublicKey => {
            let database = Database::connect(&config.database_url()?).await?;
            let key = own_key(config, &database).await?;
            print!("{}\n{}", key.verifier(), key.pem());
            Ok(())
        }
        AuditCommand::Checkpoint => checkpoint(config).await,
    }
}

async fn own_key(config: &Config, database: &Database) -> Result<CheckpointKey, Failure> {
    let key = compose::audit_keys(config, database).await?.checkpoint_key();
    key.map_err(|e| Failure::service(e.to_string()))
}

fn failed(e: &StoreError) -> Failure {
    Failure::service(e.to_string())
}

/// Signs every chain that has grown, and prints the notes.
async fn checkpoint(config: &Config) -> Result<(), Failure> {
    let database = Database::connect(&config.database_url()?).await?;
    let service = compose::service(config, &database, String::new(), config.bind).await?;
    let signed = service.app.sign_all_checkpoints().await.map_err(|e| failed(&e))?;
    for (_, checkpoint) in &signed.checkpoints {
        println!("{}", checkpoint.note);
    }
    eprintln!("{} audit chains signed", signed.checkpoints.len());
    match signed.broken.len() {
        0 => Ok(()),
        n => Err(Failure::service(format!(
            "{n} audit chains do not hold and were not signed: run `settings-http audit verify`"
        ))),
    }
}

/// The chains in the database.
async fn online(config: &Config, verify: &Verify) -> Result<(), Failure> {
    let database = Database::connect(&config.database_url()?).await?;
    let service = compose::service(config, &database, String::new(), config.bind).await?;
    let key = own_key(config, &database).await?;
    let witnesses = witnesses(&verify.against, &key)?;
    let mut chains = service.app.ports().store.slugs().await.map_err(|e| failed(&e))?;
    // The platform's own tenant is in no list: what is done to the whole service stands in its chain.
    chains.push((WorkspaceId::PLATFORM, PLATFORM.to_owned()));
    if let Some(slug) = verify.workspace.as_deref() {
        chains.retain(|(_, s)| s == slug);
        if chains.is_empty() {
            return Err(Failure::service(format!("there is no workspace {slug}")));
        }
    }
    let mut faults = 0;
    for (workspace, slug) in &chains {
        let v = service.app.verify_audit(*workspace).await.map_err(|e| failed(&e))?;
        match v.first_broken {
            None => println!("{slug}: {} events, intact, head {}", v.events, v.head),
            Some(broken) => {
                faults += 1;
                println!("{slug}: BROKEN at event {}: {}", broken.seq, broken.fault);
            }
        }
    }
    let mut differ = 0;
    for (file, witness) in &witnesses {
        match compare(&service.app, witness).await.map_err(|e| failed(&e))? {
            None => println!("{file}: event {} of {} is as the note says", witness.link.seq, witness.workspace),
            Some(fault) => {
                differ += 1;
                println!("{file}: BROKEN at event {} of {}: {fault}", witness.link.seq, witness.workspace);
            }
        }
    }
    match (faults, differ) {
        (0, 0) => Ok(()),
        (0, n) => Err(Failure::service(format!("{n} notes say something else than the database"))),
        (n, _) => Err(Failure::service(format!("{n} audit chains do not verify"))),
    }
}

/// What a note holds against the database; `None` where they agree.
pub(crate) async fn compare(app: &App, witness: &Witness) -> Result<Option<&'static str>, StoreError> {
    let before = witness.link.seq.saturating_sub(1);
    let part = app.ports().store.stretch(witness.workspace, before, 1).await?;
    Ok(match part.events.first().filter(|e| e.record.seq == witness.link.seq) {
        None => Some("it is not there any more: the log was cut, or an older copy of the database was put back"),
        Some(event) if event.hash != witness.link.hash => Some("it has another hash: the log was written anew"),
        Some(_) => None,
    })
}

/// An export, with the public key alone.
fn offline(export: &Path, key: &CheckpointKey, against: &[std::path::PathBuf]) -> Result<(), Failure> {
    let witnesses = witnesses(against, key)?;
    match check(export, key, &witnesses)? {
        Ok(()) => Ok(()),
        Err(ExportFault::NoExport(why)) => {
            Err(Failure::configuration(format!("{} is no audit export: {why}", export.display())))
        }
        Err(fault) => {
            println!("BROKEN  {fault}");
            Err(Failure::service("the export does not verify"))
        }
    }
}

type Witnesses = Vec<(String, Witness)>;

fn check(
    export: &Path,
    key: &CheckpointKey,
    witnesses: &[(String, Witness)],
) -> Result<Result<(), ExportFault>, Failure> {
    let cannot = |e: std::io::Error| Failure::configuration(format!("{} can't be read: {e}", export.display()));
    let mut input: Box<dyn BufRead> = if export == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(BufReader::with_capacity(256 * 1024, File::open(export).map_err(cannot)?))
    };
    let mut verifier = ExportVerifier::new(*key);
    let mut line = Vec::new();
    loop {
        line.clear();
        (&mut input).take(MAX_LINE).read_until(b'\n', &mut line).map_err(cannot)?;
        if line.is_empty() {
            break;
        }
        // What is no UTF-8 is no line of ours; the verifier says which.
        let text = std::str::from_utf8(&line).unwrap_or("\u{fffd}");
        if let Err(fault) = verifier.line(text.trim_end_matches(['\r', '\n'])) {
            return Ok(Err(fault));
        }
    }
    let checked = match verifier.finish() {
        Ok(checked) => checked,
        Err(fault) => return Ok(Err(fault)),
    };
    let (header, seq) = (&checked.header, checked.head.seq);
    println!("export      {} (workspace {}), of {}", header.slug, header.workspace, header.exported_at);
    println!("chain       {seq} events, each follows the one before; {} are written out", checked.shown);
    if checked.shown < seq {
        println!("            the others were left out by a filter: their places hold, what they say was not seen");
    }
    println!("values      {} are those that the chain was made with; {} were erased", checked.values, checked.erased);
    if let Some(signed) = &checked.signed {
        let when = signed.at.map_or_else(String::new, |at| format!(" on {}", instant(at)));
        println!(
            "signatures  {} by {}; the newest was made{when} about event {}",
            checked.checkpoints,
            key.verifier(),
            signed.link.seq
        );
    }
    for (file, witness) in witnesses {
        if let Err(fault) = checked.against(witness) {
            println!("against     {file}: differs");
            return Ok(Err(fault));
        }
        let what = if witness.receipt { "receipt" } else { "checkpoint" };
        println!("against     {file}: event {} is as its {what} says", witness.link.seq);
    }
    if witnesses.is_empty() {
        println!(
            "against     nothing: without a note from outside, events after {seq} that were cut off are not missed"
        );
    }
    println!("intact      head {}", hex(&checked.head.hash));
    Ok(Ok(()))
}

/// A key as it was given: itself, or a file with it.
fn public_key(given: &str) -> Result<CheckpointKey, Failure> {
    if let Some(key) = CheckpointKey::parse(given) {
        return Ok(key);
    }
    let text = std::fs::read_to_string(given)
        .map_err(|e| Failure::configuration(format!("--public-key {given} is no key and no file with one: {e}")))?;
    CheckpointKey::find(&text).ok_or_else(|| {
        Failure::configuration(format!("{given} holds no public key as `settings-http audit public-key` prints it"))
    })
}

/// Everything that was kept outside: mails, notes, receipts.
fn witnesses(files: &[std::path::PathBuf], key: &CheckpointKey) -> Result<Witnesses, Failure> {
    let mut all = Vec::new();
    for path in files {
        let name = path.display().to_string();
        let cannot = |e: std::io::Error| Failure::configuration(format!("{name} can't be read: {e}"));
        let mut bytes = Vec::new();
        File::open(path).map_err(cannot)?.take(MAX_WITNESS).read_to_end(&mut bytes).map_err(cannot)?;
        all.extend(in_file(&name, &bytes, key)?.into_iter().map(|w| (name.clone(), w)));
    }
    Ok(all)
}

fn in_file(name: &str, bytes: &[u8], key: &CheckpointKey) -> Result<Vec<Witness>, Failure> {
    let text = String::from_utf8_lossy(bytes);
    // An earlier export holds its notes as JSON.
    let exported = text.lines().filter(|l| l.starts_with('{')).filter_map(|l| match serde_json::from_str(l) {
        Ok(Line::Checkpoint(CheckpointLine { note })) => Some(note),
        _ => None,
    });
    let mut texts: Vec<String> = exported.chain([text.clone().into_owned()]).collect();
    if let Some(mail) = MessageParser::default().parse(bytes) {
        read_mail(&mail, &mut texts);
    }
    let (mut found, mut unknown) = (Vec::new(), false);
    for read in texts.iter().flat_map(|text| found_notes(text, key)) {
        match read {
            Ok(witness) if !found.contains(&witness) => found.push(witness),
            Err(CheckpointError::UnknownKey) => unknown = true,
            // A mail's raw text holds the note in pieces, which is no sign of anything; as long as one of its forms is whole.
            Ok(_) | Err(CheckpointError::Malformed) => {}
            Err(e @ CheckpointError::Forged) => return Err(Failure::service(format!("{name}: {e}"))),
        }
    }
    match (found.is_empty(), unknown) {
        (false, _) => Ok(found),
        (true, true) => Err(Failure::configuration(format!("{name}: the note is not signed with this key"))),
        (true, false) => Err(Failure::configuration(format!("{name} holds no signed note about an audit log"))),
    }
}

/// The texts of a mail and of the mails that it carries.
fn read_mail(mail: &Message<'_>, texts: &mut Vec<String>) {
    for part in &mail.parts {
        match &part.body {
            PartType::Text(text) | PartType::Html(text) => texts.push(text.clone().into_owned()),
            PartType::Binary(bytes) | PartType::InlineBinary(bytes) => {
                texts.push(String::from_utf8_lossy(bytes).into_owned());
            }
            PartType::Message(inner) => read_mail(inner, texts),
            PartType::Multipart(_) => {}
        }
    }
}
