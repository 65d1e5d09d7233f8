//! An alarm by its definition, and the state that it is in by the data of its metrics.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use strum::{Display, EnumString};

/// The one expression that is known: all metrics together, where what is missing is 0.
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html>.
const SUM_OF_ALL: &str = "SUM(FILL(METRICS(), 0))";

/// What an alarm says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display, EnumString)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// What it watches is as it should be.
    Ok,
    /// It is not.
    Alarm,
    /// It was never evaluated.
    InsufficientData,
}

/// An alarm.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Definition {
    pub(super) name: String,
    /// What it was said to be last.
    pub(super) state: State,
    /// From where on it is an alarm.
    threshold: f64,
    /// How many periods are looked at, the last of which ends now.
    periods: i64,
    /// How many of them have to be at the threshold or above.
    to_alarm: usize,
    /// In seconds.
    period: i64,
    statistic: Statistic,
    /// Whether it watches a sum, in which what is missing is 0.
    is_sum: bool,
    pub(super) metrics: Vec<Metric>,
}

/// A metric, as CloudWatch's calls name it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Metric {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) dimensions: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Display, EnumString)]
pub(super) enum Statistic {
    Sum,
    Maximum,
}

/// Data of a metric: the start of a minute, in seconds since 1970, and its statistic.
pub(super) type Minutes = Vec<(i64, f64)>;

impl Definition {
    /// Reads what `DescribeAlarms` says of an alarm.
    ///
    /// # Errors
    /// When it says what is not known here.
    pub(super) fn of(alarm: &Value) -> Result<Self> {
        let name = text(&alarm["AlarmName"])?;
        Self::read(alarm).with_context(|| format!("the alarm {name}"))
    }

    fn read(alarm: &Value) -> Result<Self> {
        let is = |key: &str, value: &str| ensured(key, &alarm[key], value);
        is("ComparisonOperator", "GreaterThanOrEqualToThreshold")?;
        is("TreatMissingData", "notBreaching")?;
        let periods = number(&alarm["EvaluationPeriods"])?;
        let to_alarm = alarm.get("DatapointsToAlarm").map_or(Ok(periods), number)?;
        let is_sum = alarm.get("Metrics").is_some();
        let (metrics, period, statistic) = if is_sum { sum_of(alarm)? } else { one(alarm)? };
        ensure!(period % 60 == 0, "data are of minutes, and its period is {period} s");
        Ok(Self {
            name: text(&alarm["AlarmName"])?,
            state: text(&alarm["StateValue"])?.parse()?,
            threshold: alarm["Threshold"].as_f64().context("no threshold")?,
            periods,
            to_alarm: usize::try_from(to_alarm)?,
            period,
            statistic,
            is_sum,
            metrics,
        })
    }

    /// When the time begins and ends that is looked at, in seconds since 1970. It slides from minute to minute, and ends
    /// with the one that is now.
    /// Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation-window.html>.
    pub(super) fn window(&self, now: i64) -> (i64, i64) {
        let end = now - now.rem_euclid(60) + 60;
        (end - self.periods * self.period, end)
    }

    /// By what a minute of its metrics is told.
    pub(super) fn statistic(&self) -> Statistic {
        self.statistic
    }

    /// The state it is in, and why, by the data of each of its metrics.
    pub(super) fn evaluate(&self, data: &[Minutes], now: i64) -> (State, String) {
        let (start, _) = self.window(now);
        let values: Vec<Option<f64>> = (0..self.periods)
            .map(|number| {
                let begin = start + number * self.period;
                let values = data.iter().filter_map(|minutes| self.period_of(minutes, begin));
                let all = values.reduce(|one, other| one + other);
                if self.is_sum { all.or(Some(0.0)) } else { all }
            })
            .collect();
        let breaching: Vec<String> = values
            .iter()
            .flatten()
            .filter(|value| **value >= self.threshold)
            .map(|value| format!("{value}"))
            .collect();
        let state = if breaching.len() >= self.to_alarm { State::Alarm } else { State::Ok };
        let reason = format!(
            "{} of {} periods of {} s had {} or more: [{}]",
            breaching.len(),
            self.periods,
            self.period,
            self.threshold,
            breaching.join(", ")
        );
        (state, reason)
    }

    /// The statistic of a period; none where there are no data.
    fn period_of(&self, minutes: &Minutes, begin: i64) -> Option<f64> {
        let within = begin..begin + self.period;
        let values = minutes.iter().filter(|(minute, _)| within.contains(minute)).map(|(_, value)| *value);
        match self.statistic {
            Statistic::Sum => values.reduce(|one, other| one + other),
            Statistic::Maximum => values.reduce(f64::max),
        }
    }
}

/// What an alarm watches that watches one metric.
fn one(alarm: &Value) -> Result<(Vec<Metric>, i64, Statistic)> {
    let metric = metric(&alarm["Namespace"], &alarm["MetricName"], &alarm["Dimensions"])?;
    Ok((vec![metric], number(&alarm["Period"])?, text(&alarm["Statistic"])?.parse()?))
}

/// What an alarm watches that watches a sum.
fn sum_of(alarm: &Value) -> Result<(Vec<Metric>, i64, Statistic)> {
    let queries = alarm["Metrics"].as_array().context("no metrics")?;
    let (expressions, stats): (Vec<_>, Vec<_>) =
        queries.iter().partition(|query| query.get("Expression").is_some());
    let [expression] = expressions[..] else { bail!("{} expressions", expressions.len()) };
    ensured("Expression", &expression["Expression"], SUM_OF_ALL)?;
    // Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-limits.html.
    ensure!((1..=10).contains(&stats.len()), "{} metrics in an expression", stats.len());
    let stats: Vec<_> = stats.into_iter().map(|query| &query["MetricStat"]).collect();
    let period = number(&stats[0]["Period"])?;
    let mut metrics = Vec::new();
    for stat in stats {
        ensured("Stat", &stat["Stat"], "Sum")?;
        ensure!(number(&stat["Period"])? == period, "metrics of several periods");
        let named = &stat["Metric"];
        metrics.push(metric(&named["Namespace"], &named["MetricName"], &named["Dimensions"])?);
    }
    Ok((metrics, period, Statistic::Sum))
}

fn metric(namespace: &Value, name: &Value, dimensions: &Value) -> Result<Metric> {
    let dimensions = if dimensions.is_null() { Value::Array(Vec::new()) } else { dimensions.clone() };
    Ok(Metric { namespace: text(namespace)?, name: text(name)?, dimensions })
}

fn ensured(key: &str, found: &Value, known: &str) -> Result<()> {
    ensure!(found == known, "{key} is {found}, and only {known} is known");
    Ok(())
}

fn text(value: &Value) -> Result<String> {
    value.as_str().map(str::to_owned).with_context(|| format!("{value} is no text"))
}

/// What `CloudFormation` gives as a number may be a text.
fn number(value: &Value) -> Result<i64> {
    let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
    number.with_context(|| format!("{value} is no number"))
}

#[cfg(test)]
mod tests;
