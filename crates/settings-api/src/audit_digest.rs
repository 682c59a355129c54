//! `/workspace/audit-digest` (seed A): when, to whom and about what digests of the audit log are mailed.
use crate::{
    Api,
    answer::{Answer, rfc3339},
    input::Input,
    json::{Body, Fields},
    operation::{Operation, op},
    problem::Problem,
};
use http::Method;
use serde::Serialize;
use settings_domain::{
    audit::Risk,
    audit_digest as domain,
    audit_digest::{DayOfMonth, DayOfWeek, DigestSettings, Frequency, Hour, MAX_RECIPIENTS, Schedule},
    policy::{Permit, actions},
    text::Email,
    transaction::{Call, Snapshot},
};
use std::{collections::BTreeSet, fmt, ops::RangeInclusive, str::FromStr, sync::Arc};
use utoipa::ToSchema;

/// The audit digest.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuditDigest {
    /// Whether digests are sent.
    enabled: bool,
    /// `daily`, `weekly` or `monthly`.
    frequency: &'static str,
    /// Of a weekly digest: 0 (Sunday) to 6 (Saturday).
    #[serde(skip_serializing_if = "Option::is_none")]
    day_of_week: Option<i64>,
    /// Of a monthly digest: 1 to 28.
    #[serde(skip_serializing_if = "Option::is_none")]
    day_of_month: Option<i64>,
    /// 0 to 23.
    #[serde(rename = "hourUTC")]
    hour_utc: i64,
    /// Which events count, lowest risk first.
    include_risk_levels: Vec<&'static str>,
    /// E-mail addresses, each once.
    recipients: Vec<String>,
    /// When a mail server last accepted a digest; null before the first.
    #[schema(format = DateTime)]
    last_sent_at: Option<String>,
    /// When the next one is due; null while they are switched off.
    #[schema(format = DateTime)]
    next_due_at: Option<String>,
    /// Counts changes, from 1; 0 before the first. Also the entity tag.
    version: i64,
}

impl From<&domain::AuditDigest> for AuditDigest {
    fn from(digest: &domain::AuditDigest) -> Self {
        let DigestSettings { enabled, schedule, risks, recipients } = &digest.settings;
        let frequency = schedule.frequency;
        Self {
            enabled: *enabled,
            frequency: frequency.name(),
            day_of_week: frequency.day_of_week().map(i64::from),
            day_of_month: frequency.day_of_month().map(i64::from),
            hour_utc: schedule.hour.into(),
            include_risk_levels: risks.iter().map(|r| r.name()).collect(),
            recipients: recipients.iter().map(|e| e.as_str().to_owned()).collect(),
            last_sent_at: digest.last_sent_at.map(rfc3339),
            next_due_at: digest.next_due_at.map(rfc3339),
            version: digest.version,
        }
    }
}

/// The whole choice: what is not sent is missing.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct AuditDigestChange {
    /// Whether digests are sent. If so, `recipients` and `includeRiskLevels` must not be empty.
    enabled: bool,
    /// `daily`, `weekly` or `monthly`.
    #[schema(value_type = String)]
    frequency: Word,
    /// 0 (Sunday) to 6 (Saturday): needed by a weekly digest and by no other.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 6)]
    day_of_week: Option<DayOfWeek>,
    /// 1 to 28: needed by a monthly digest and by no other.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 28)]
    day_of_month: Option<DayOfMonth>,
    /// The hour of delivery in UTC.
    #[schema(rename = "hourUTC", value_type = i64, minimum = 0, maximum = 23)]
    hour_utc: Hour,
    /// Which events count: some of low, medium, high, critical, each once.
    #[schema(value_type = Vec<String>, max_items = 4)]
    include_risk_levels: BTreeSet<Risk>,
    /// At most 50 e-mail addresses; equal ones count once.
    #[schema(value_type = Vec<String>, max_items = 50)]
    recipients: Vec<Email>,
}

/// A word for how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Daily,
    Weekly,
    Monthly,
}

/// It is none.
#[derive(Debug)]
struct NoFrequency;

impl fmt::Display for NoFrequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be one of daily, weekly, monthly")
    }
}

impl FromStr for Word {
    type Err = NoFrequency;
    fn from_str(s: &str) -> Result<Self, NoFrequency> {
        match s {
            "daily" => Ok(Self::Daily),
            "weekly" => Ok(Self::Weekly),
            "monthly" => Ok(Self::Monthly),
            _ => Err(NoFrequency),
        }
    }
}

/// A level of risk, in its one spelling.
struct Level(Risk);

impl FromStr for Level {
    type Err = &'static str;
    fn from_str(s: &str) -> Result<Self, &'static str> {
        Risk::parse(s).map(Self).ok_or("must be one of low, medium, high, critical")
    }
}

fn number<T: TryFrom<i64>>(f: &mut Fields, name: &str, range: RangeInclusive<i64>) -> Option<T> {
    f.integer(name, range).and_then(|n| T::try_from(n).ok())
}

/// A day that belongs to one frequency: needed by it, and a fault with every other.
fn day<T>(f: &mut Fields, name: &str, of: Word, frequency: Option<Word>, there: bool, day: Option<T>) -> Option<T> {
    match frequency {
        Some(word) if word == of && !there => f.fault_at(name, "is required by this frequency"),
        Some(word) if word != of && there => f.fault_at(name, "does not belong to this frequency"),
        _ => {}
    }
    day
}

impl Body for AuditDigestChange {
    fn read(f: &mut Fields) -> Option<Self> {
        let (enabled, frequency) = (f.required_boolean("enabled"), f.required::<Word>("frequency"));
        let (week, month) = (f.has("dayOfWeek"), f.has("dayOfMonth"));
        let day_of_week = number(f, "dayOfWeek", DayOfWeek::RANGE);
        let day_of_month = number(f, "dayOfMonth", DayOfMonth::RANGE);
        let day_of_week = day(f, "dayOfWeek", Word::Weekly, frequency, week, day_of_week);
        let day_of_month = day(f, "dayOfMonth", Word::Monthly, frequency, month, day_of_month);
        if !f.has("hourUTC") {
            f.fault_at("hourUTC", "is required");
        }
        let hour_utc = number(f, "hourUTC", Hour::RANGE);
        let mut seen = BTreeSet::new();
        let include_risk_levels = f.list("includeRiskLevels", Risk::ALL.len(), |f, path, v| {
            let Level(risk) = f.entry_text(&path, &v)?;
            if !seen.insert(risk) {
                f.fault_at(&path, "stands twice");
            }
            Some(risk)
        });
        let recipients = f.list("recipients", MAX_RECIPIENTS, |f, path, v| f.entry_text(&path, &v));
        Some(Self {
            enabled: enabled?,
            frequency: frequency?,
            day_of_week,
            day_of_month,
            hour_utc: hour_utc?,
            include_risk_levels: include_risk_levels?.into_iter().collect(),
            recipients: recipients?,
        })
    }
}

impl AuditDigestChange {
    /// `None` where the day that the frequency needs is missing: a fault was noted then.
    fn settings(self) -> Option<DigestSettings> {
        let frequency = match self.frequency {
            Word::Daily => Frequency::Daily,
            Word::Weekly => Frequency::Weekly(self.day_of_week?),
            Word::Monthly => Frequency::Monthly(self.day_of_month?),
        };
        let schedule = Schedule { frequency, hour: self.hour_utc };
        Some(DigestSettings::new(self.enabled, schedule, self.include_risk_levels, self.recipients))
    }
}

/// When the present schedule falls due.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuditDigestPreview {
    /// The next three instants, whether digests are switched on or not.
    #[schema(format = DateTime)]
    next_runs: Vec<String>,
}

pub(crate) fn operations() -> Vec<Operation> {
    const T: &str = "audit-digest";
    vec![
        op(Method::GET, "/workspace/audit-digest", "getAuditDigest", T, "Read the audit digest's settings")
            .gives::<AuditDigest>(200)
            .read(get),
        op(Method::PUT, "/workspace/audit-digest", "configureAuditDigest", T, "Choose when and to whom digests go")
            .takes::<AuditDigestChange>()
            .gives::<AuditDigest>(200)
            .problems(&["precondition-failed"])
            .write(configure),
        op(Method::GET, "/workspace/audit-digest/preview", "previewAuditDigest", T, "List the next three runs")
            .gives::<AuditDigestPreview>(200)
            .read(preview),
    ]
}

async fn get(
    _: Arc<Api>,
    mut snapshot: Snapshot<actions::ReadAuditDigest>,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    input.only(&[])?;
    let digest = snapshot.audit_digest().await?;
    Ok(Answer::ok(&AuditDigest::from(&digest)).version(digest.version))
}

async fn configure(
    api: Arc<Api>,
    permit: Permit<actions::UpdateAuditDigest>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let body: AuditDigestChange = input.json()?;
    let settings = body.settings().ok_or_else(|| Problem::plain("validation-failed"))?;
    let done = api.app().configure_audit_digest(&permit, &call, settings).await?;
    Ok(Answer::ok(&AuditDigest::from(done.value())).version(done.value().version))
}

async fn preview(
    _: Arc<Api>,
    mut snapshot: Snapshot<actions::ReadAuditDigest>,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    input.only(&[])?;
    let (at, digest) = (snapshot.at(), snapshot.audit_digest().await?);
    let next_runs = digest.settings.schedule.preview(at).map(rfc3339).to_vec();
    Ok(Answer::ok(&AuditDigestPreview { next_runs }))
}
