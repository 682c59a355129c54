//! The form as text: what was typed, or what is there.
use crate::{cx::Cx, form::Faults};
use settings_domain::{
    audit::Risk,
    audit_digest::{AuditDigest, DayOfMonth, DayOfWeek, DigestSettings, Frequency, Hour, MAX_RECIPIENTS, Schedule},
    text::Email,
};
use std::collections::BTreeSet;

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A day of the week, 0 for Sunday.
pub(super) fn day_name(day: u8) -> &'static str {
    DAYS.get(usize::from(day)).copied().unwrap_or("day")
}

pub(super) struct Typed {
    pub(super) enabled: bool,
    pub(super) frequency: String,
    pub(super) day_of_week: String,
    pub(super) day_of_month: String,
    pub(super) hour: String,
    pub(super) risks: Vec<String>,
    /// One address a line.
    pub(super) recipients: String,
    pub(super) version: i64,
}

impl Typed {
    pub(super) fn stored(digest: &AuditDigest) -> Self {
        let s = &digest.settings;
        let frequency = s.schedule.frequency;
        let lines: Vec<&str> = s.recipients.iter().map(Email::as_str).collect();
        Self {
            enabled: s.enabled,
            frequency: frequency.name().to_owned(),
            // The day that the frequency has no use for is where one would begin.
            day_of_week: frequency.day_of_week().map_or(1, DayOfWeek::get).to_string(),
            day_of_month: frequency.day_of_month().map_or(1, DayOfMonth::get).to_string(),
            hour: s.schedule.hour.get().to_string(),
            risks: s.risks.iter().map(|r| r.name().to_owned()).collect(),
            recipients: lines.join("\n"),
            version: digest.version,
        }
    }
    pub(super) fn sent(cx: &Cx) -> Self {
        let field = |name| cx.field(name).trim().to_owned();
        Self {
            enabled: cx.field("enabled") == "yes",
            frequency: field("frequency"),
            day_of_week: field("dayOfWeek"),
            day_of_month: field("dayOfMonth"),
            hour: field("hour"),
            risks: cx.fields("risk").map(str::to_owned).collect(),
            recipients: cx.field("recipients").replace("\r\n", "\n"),
            version: cx.field("version").parse().unwrap_or_default(),
        }
    }

    /// The choice, or every fault of it.
    pub(super) fn read(&self, faults: &mut Faults) -> Option<DigestSettings> {
        let schedule = schedule(&self.frequency, &self.day_of_week, &self.day_of_month, &self.hour, faults);
        let risks: Option<BTreeSet<Risk>> = self.risks.iter().map(|r| Risk::parse(r)).collect();
        if risks.is_none() {
            faults.field("risk", "Choose among these levels.");
        }
        let mut recipients = Vec::new();
        let mut wrong = Vec::new();
        for (place, line) in self.recipients.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
            match line.trim().parse::<Email>() {
                Ok(email) => recipients.push(email),
                Err(e) => wrong.push(format!("Line {}: {e}.", place + 1)),
            }
        }
        if recipients.len() > MAX_RECIPIENTS {
            wrong.push(format!("At most {MAX_RECIPIENTS} addresses."));
        }
        if self.enabled && recipients.is_empty() && wrong.is_empty() {
            wrong.push("Enter at least one address, or switch the digest off.".to_owned());
        }
        if self.enabled && risks.as_ref().is_some_and(BTreeSet::is_empty) {
            faults.field("risk", "Choose at least one level, or switch the digest off.");
        }
        if !wrong.is_empty() {
            faults.field("recipients", wrong.join(" "));
        }
        let (schedule, risks) = (schedule?, risks?);
        faults.none().then(|| DigestSettings::new(self.enabled, schedule, risks, recipients))
    }

    /// Both versions, for a form that aged.
    pub(super) fn against(&self, now: &Self) -> [(&'static str, String, String); 7] {
        let on = |t: &Self| if t.enabled { "on" } else { "off" }.to_owned();
        let day = |t: &Self| t.day_of_week.parse().map(day_name).unwrap_or_default().to_owned();
        let levels = |t: &Self| {
            Risk::ALL
                .iter()
                .filter(|r| t.risks.iter().any(|n| n == r.name()))
                .map(|r| r.name())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let people = |t: &Self| t.recipients.split_whitespace().collect::<Vec<_>>().join(", ");
        [
            ("Digests", on(self), on(now)),
            ("Frequency", self.frequency.clone(), now.frequency.clone()),
            ("Day of the week", day(self), day(now)),
            ("Day of the month", self.day_of_month.clone(), now.day_of_month.clone()),
            ("Hour (UTC)", self.hour.clone(), now.hour.clone()),
            ("Risk levels", levels(self), levels(now)),
            ("Recipients", people(self), people(now)),
        ]
    }
}

/// A schedule from its parts; the day of another frequency does not count.
pub(super) fn schedule(
    frequency: &str,
    day_of_week: &str,
    day_of_month: &str,
    hour: &str,
    faults: &mut Faults,
) -> Option<Schedule> {
    fn number<T: TryFrom<i64>>(text: &str) -> Option<T> {
        text.parse::<i64>().ok().and_then(|n| T::try_from(n).ok())
    }
    let chosen = match frequency {
        "daily" => Some(Frequency::Daily),
        "weekly" => {
            let day = number::<DayOfWeek>(day_of_week).map(Frequency::Weekly);
            if day.is_none() {
                faults.field("dayOfWeek", "Choose a day.");
            }
            day
        }
        "monthly" => {
            let day = number::<DayOfMonth>(day_of_month).map(Frequency::Monthly);
            if day.is_none() {
                faults.field("dayOfMonth", "Choose a day from 1 to 28.");
            }
            day
        }
        _ => {
            faults.field("frequency", "Choose how often.");
            None
        }
    };
    let hour = number::<Hour>(hour);
    if hour.is_none() {
        faults.field("hour", "Choose an hour.");
    }
    Some(Schedule { frequency: chosen?, hour: hour? })
}
