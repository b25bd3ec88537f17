//! Aggregations over the results of others: JSON to pipelines.

use query::pipeline::{
    BucketPath, GapPolicy, MovingModel, Normalization, Pipeline, PipelineKind, Season, SiblingKind,
    SortedBy,
};
use query::request::Aggregation;
use serde_json::{Map, Value};

use super::paths::{Start, resolve};
use super::{Definition, Parsed, ParsedAggregations};
use crate::elastic::ElasticError;
use crate::elastic::read;
use crate::elastic::render::DecimalPattern;
use crate::elastic::script::{Script, ScriptKind};
use crate::elastic::shape::{AggregationKind, PipelineForm, PipelineShape, ValueText};

/// Types whose value belongs to each bucket of the aggregation that they stand in.
pub(super) const PARENTS: &[&str] = &[
    "bucket_script",
    "bucket_selector",
    "bucket_sort",
    "cumulative_sum",
    "derivative",
    "moving_avg",
    "moving_fn",
    "normalize",
    "serial_diff",
];

/// Types that make one value of an aggregation beside them.
pub(super) const SIBLINGS: &[&str] = &[
    "avg_bucket",
    "extended_stats_bucket",
    "max_bucket",
    "min_bucket",
    "percentiles_bucket",
    "stats_bucket",
    "sum_bucket",
];

/// Percents unless the request says otherwise.
const PERCENTS_DEFAULT: [f64; 7] = [1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0];

/// Most buckets that a moving average predicts.
const PREDICTIONS_MAX: usize = 1_000;

/// Deviations of bounds from the mean unless the request says otherwise.
const SIGMA_DEFAULT: f64 = 2.0;

/// Whether a definition's type is one of a pipeline.
pub(super) fn is_pipeline(definition: &Value) -> bool {
    let mut keys = definition.as_object().into_iter().flat_map(Map::keys);
    keys.any(|key| PARENTS.contains(&key.as_str()) || SIBLINGS.contains(&key.as_str()))
}

/// Something that must not stand at the top.
pub(super) fn check_level(
    name: &str,
    type_name: &str,
    is_top: bool,
    body: &Map<String, Value>,
) -> Result<(), ElasticError> {
    let window = body.get("window").and_then(Value::as_i64);
    if is_top && type_name == "moving_fn" && window.is_some_and(|window| window <= 0) {
        // Found while the request is read, before anything asks where it stands.
        return Err(ElasticError::illegal_argument(
            "[window] must be a positive, non-zero integer.",
        ));
    }
    if is_top && PARENTS.contains(&type_name) {
        return Err(ElasticError::validation(&[format!(
            "{type_name} aggregation [{name}] must be declared inside of another aggregation"
        )]));
    }
    Ok(())
}

/// A pipeline beside `siblings`.
struct Reader<'a> {
    definition: &'a Definition<'a>,
    siblings: &'a ParsedAggregations,
}

/// Reads a pipeline.
pub(super) fn parse(
    definition: &Definition<'_>,
    siblings: &ParsedAggregations,
) -> Result<Parsed, ElasticError> {
    let reader = Reader {
        definition,
        siblings,
    };
    reader.check_keys()?;
    let (kind, form, typed) = match definition.type_name {
        "bucket_script" => {
            let (paths, script) = reader.script()?;
            let kind = PipelineKind::BucketScript { paths, script };
            (kind, PipelineForm::Plain, "simple_value")
        }
        "bucket_selector" => {
            let (paths, script) = reader.script()?;
            let kind = PipelineKind::BucketSelector { paths, script };
            (kind, PipelineForm::Plain, "bucket_selector")
        }
        "bucket_sort" => (reader.bucket_sort()?, PipelineForm::Plain, "bucket_sort"),
        "cumulative_sum" => {
            let path = reader.path()?;
            let kind = PipelineKind::CumulativeSum { path };
            (kind, PipelineForm::Plain, "simple_value")
        }
        "derivative" => (reader.derivative()?, PipelineForm::Plain, "derivative"),
        "moving_avg" => (
            reader.moving_average()?,
            PipelineForm::Plain,
            "simple_value",
        ),
        "moving_fn" => (
            reader.moving_function()?,
            PipelineForm::Plain,
            "simple_value",
        ),
        "normalize" => (reader.normalize()?, PipelineForm::Plain, "simple_value"),
        "serial_diff" => {
            let path = reader.path()?;
            let lag = reader.count("lag", 1)?;
            if lag == 0 {
                return Err(reader.positive("lag"));
            }
            let kind = PipelineKind::SerialDifference { path, lag };
            (kind, PipelineForm::Plain, "simple_value")
        }
        _sibling => reader.sibling()?,
    };
    let text = match definition.body.get("format") {
        None | Some(Value::Null) => None,
        Some(format) => {
            let pattern = DecimalPattern::parse(&read::text(format, "format")?);
            Some(ValueText::Number(pattern?))
        }
    };
    Ok(Parsed {
        aggregation: Aggregation::Pipeline(Pipeline {
            kind,
            gaps: reader.gaps()?,
        }),
        kind: AggregationKind::Pipeline(Box::new(PipelineShape { text, form })),
        typed,
    })
}

impl Reader<'_> {
    fn check_keys(&self) -> Result<(), ElasticError> {
        let own: &[&str] = match self.definition.type_name {
            "bucket_script" | "bucket_selector" => &["script"],
            "bucket_sort" => &["sort", "from", "size"],
            "derivative" => &["unit"],
            "moving_avg" => &["window", "model", "predict", "settings", "minimize"],
            "moving_fn" => &["window", "shift", "script"],
            "normalize" => &["method"],
            "serial_diff" => &["lag"],
            "percentiles_bucket" => &["percents", "keyed"],
            "extended_stats_bucket" => &["sigma"],
            _plain => &[],
        };
        let unknown = self.definition.body.keys().find(|key| {
            let key = key.as_str();
            !matches!(key, "buckets_path" | "gap_policy" | "format") && !own.contains(&key)
        });
        match unknown {
            None => Ok(()),
            Some(unknown) => Err(self.definition.unknown(unknown)),
        }
    }

    fn gaps(&self) -> Result<GapPolicy, ElasticError> {
        let Some(value) = self.definition.body.get("gap_policy") else {
            return Ok(GapPolicy::Skip);
        };
        match read::text(value, "gap_policy")?.to_lowercase().as_str() {
            "skip" => Ok(GapPolicy::Skip),
            "insert_zeros" => Ok(GapPolicy::InsertZeros),
            "keep_values" => Ok(GapPolicy::KeepValues),
            other => Err(ElasticError::illegal_argument(format!(
                "Invalid gap policy: [{other}], accepted values: [insert_zeros, skip, keep_values]"
            ))),
        }
    }

    /// The only path.
    fn path(&self) -> Result<BucketPath, ElasticError> {
        let value = self.definition.body.get("buckets_path");
        let paths = value.map(read::one_or_many).unwrap_or_default();
        match paths {
            [path] => {
                let start = match SIBLINGS.contains(&self.definition.type_name) {
                    true => Start::Sibling,
                    false => Start::Bucket,
                };
                resolve(&read::text(path, "buckets_path")?, self.siblings, start)
            }
            [] => Err(ElasticError::illegal_argument(format!(
                "Required [buckets_path] of [{}]",
                self.definition.name
            ))),
            _several => Err(ElasticError::validation(&[
                "must contain a single entry for aggregation".into(),
            ])),
        }
    }

    fn count(&self, key: &str, default: usize) -> Result<usize, ElasticError> {
        match self.definition.body.get(key) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => read::count(value, key),
        }
    }

    fn positive(&self, key: &str) -> ElasticError {
        let reason = format!("[{key}] must be a positive, non-zero integer.");
        self.definition
            .wrong(key, ElasticError::illegal_argument(reason))
    }

    /// A script and its variables.
    fn script(&self) -> Result<(Vec<BucketPath>, query::pipeline::Expression), ElasticError> {
        let body = self.definition.body;
        let (mut names, mut paths) = (Vec::new(), Vec::new());
        let mut add = |name: String, path: &Value| {
            let path = read::text(path, "buckets_path")?;
            paths.push(resolve(&path, self.siblings, Start::Bucket)?);
            names.push(name);
            Ok::<_, ElasticError>(())
        };
        match body.get("buckets_path") {
            Some(Value::Object(variables)) => {
                for (name, path) in variables {
                    add(name.clone(), path)?;
                }
            }
            Some(list) => {
                for (number, path) in read::one_or_many(list).iter().enumerate() {
                    let single = !list.is_array();
                    let name = if single {
                        "_value".into()
                    } else {
                        format!("_value{number}")
                    };
                    add(name, path)?;
                }
            }
            None => {}
        }
        let script = body.get("script").ok_or_else(|| {
            ElasticError::illegal_argument(format!(
                "Required [script] of [{}]",
                self.definition.name
            ))
        })?;
        let script = Script::read(script)?.compile(ScriptKind::Bucket, &names);
        Ok((paths, script.map_err(ElasticError::in_reduce)?))
    }

    fn bucket_sort(&self) -> Result<PipelineKind, ElasticError> {
        let body = self.definition.body;
        let mut by = Vec::new();
        for entry in body.get("sort").map(read::one_or_many).unwrap_or_default() {
            match entry {
                Value::String(path) => by.push(SortedBy {
                    path: resolve(path, self.siblings, Start::Bucket)?,
                    descending: false,
                }),
                Value::Object(entries) => {
                    for (path, options) in entries {
                        let direction = match options {
                            Value::Object(options) => options.get("order"),
                            direction => Some(direction),
                        };
                        let direction = direction.map(read::shown).unwrap_or_default();
                        by.push(SortedBy {
                            path: resolve(path, self.siblings, Start::Bucket)?,
                            descending: direction.eq_ignore_ascii_case("desc"),
                        });
                    }
                }
                other => return Err(self.definition.wrong_kind("sort", other)),
            }
        }
        let from = self.count("from", 0)?;
        let size = match body.get("size") {
            None | Some(Value::Null) => None,
            Some(value) => Some(read::count(value, "size")?),
        };
        if size == Some(0) {
            return Err(self.positive("size"));
        }
        if by.is_empty() && size.is_none() && from == 0 {
            return Err(ElasticError::validation(&[format!(
                "[{}] is configured to perform nothing. Please set either of [sort, size, from] \
                 to use bucket_sort",
                self.definition.name
            )]));
        }
        Ok(PipelineKind::BucketSort { by, from, size })
    }

    fn derivative(&self) -> Result<PipelineKind, ElasticError> {
        let unit = match self.definition.body.get("unit") {
            None | Some(Value::Null) => None,
            Some(value) => {
                let text = read::text(value, "unit")?;
                let width_ms = unit_ms(&text).ok_or_else(|| {
                    ElasticError::illegal_argument(format!(
                        "failed to parse setting [DerivativePipelineAggregationBuilder.unit] with \
                         value [{text}] as a time value: unit is missing or unrecognized"
                    ))
                })?;
                Some(width_ms)
            }
        };
        let path = self.path()?;
        Ok(PipelineKind::Derivative { path, unit })
    }

    fn window(&self, default: Option<usize>) -> Result<usize, ElasticError> {
        let window = match (self.definition.body.get("window"), default) {
            (None | Some(Value::Null), Some(default)) => default,
            (None | Some(Value::Null), None) => {
                return Err(ElasticError::illegal_argument(format!(
                    "Required [window] of [{}]",
                    self.definition.name
                )));
            }
            (Some(value), _) => usize::try_from(read::integer(value, "window")?).unwrap_or(0),
        };
        if window == 0 {
            return Err(self.positive("window"));
        }
        Ok(window)
    }

    fn moving_function(&self) -> Result<PipelineKind, ElasticError> {
        let body = self.definition.body;
        let shift = match body.get("shift") {
            None | Some(Value::Null) => 0,
            Some(value) => read::integer(value, "shift")?,
        };
        let script = body.get("script").ok_or_else(|| {
            ElasticError::illegal_argument(format!(
                "Required [script] of [{}]",
                self.definition.name
            ))
        })?;
        let window = self.window(None)?;
        let path = self.path()?;
        let script = Script::read(script)?.compile(ScriptKind::Moving, &[]);
        Ok(PipelineKind::MovingFunction {
            path,
            window,
            shift,
            script: script.map_err(ElasticError::in_reduce)?,
        })
    }

    fn moving_average(&self) -> Result<PipelineKind, ElasticError> {
        let body = self.definition.body;
        let nothing = Map::new();
        let settings = body.get("settings").and_then(Value::as_object);
        let settings = settings.unwrap_or(&nothing);
        let factor = |key: &str, default: f64| match settings.get(key) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => read::float(value, key),
        };
        let name = match body.get("model") {
            None | Some(Value::Null) => "simple".to_owned(),
            Some(value) => read::text(value, "model")?,
        };
        let model = match name.as_str() {
            "simple" => MovingModel::Simple,
            "linear" => MovingModel::Linear,
            "ewma" => MovingModel::Exponential {
                alpha: factor("alpha", 0.3)?,
            },
            "holt" => MovingModel::Holt {
                alpha: factor("alpha", 0.3)?,
                beta: factor("beta", 0.1)?,
            },
            "holt_winters" => MovingModel::HoltWinters {
                factors: [
                    factor("alpha", 0.3)?,
                    factor("beta", 0.1)?,
                    factor("gamma", 0.3)?,
                ],
                season: Season {
                    period: match settings.get("period") {
                        None | Some(Value::Null) => 1,
                        Some(value) => read::count(value, "period")?,
                    },
                    multiplicative: settings
                        .get("type")
                        .is_some_and(|value| read::shown(value).starts_with("mult")),
                },
            },
            other => {
                return Err(ElasticError::parsing(format!(
                    "unknown field [{other}] for [model]"
                )));
            }
        };
        if body
            .get("minimize")
            .is_some_and(|value| read::shown(value) == "true")
        {
            return Err(ElasticError::unsupported("[minimize] of [moving_avg]"));
        }
        let predictions = self.count("predict", 0)?;
        if predictions > PREDICTIONS_MAX {
            return Err(ElasticError::illegal_argument(format!(
                "[predict] may be up to {PREDICTIONS_MAX}"
            )));
        }
        Ok(PipelineKind::MovingAverage {
            path: self.path()?,
            window: self.window(Some(5))?,
            model,
            predictions,
        })
    }

    fn normalize(&self) -> Result<PipelineKind, ElasticError> {
        let method = match self.definition.body.get("method") {
            None => String::new(),
            Some(value) => read::text(value, "method")?,
        };
        let method = match method.as_str() {
            "rescale_0_1" => Normalization::ToOne,
            "rescale_0_100" => Normalization::ToHundred,
            "percent_of_sum" => Normalization::PercentOfSum,
            "mean" => Normalization::Mean,
            "z-score" => Normalization::ZScore,
            "softmax" => Normalization::Softmax,
            other => {
                return Err(ElasticError::illegal_argument(format!(
                    "invalid method [{other}]"
                )));
            }
        };
        let path = self.path()?;
        Ok(PipelineKind::Normalize { path, method })
    }

    fn sibling(&self) -> Result<(PipelineKind, PipelineForm, &'static str), ElasticError> {
        let path = self.path()?;
        let beside = path.through.first().and_then(|first| {
            let request = self.siblings.requests.get(*first)?;
            let is_bucket = matches!(request.aggregation, Aggregation::Bucket { .. });
            self.siblings.shapes.get(*first).filter(|_| is_bucket)
        });
        let Some(beside) = beside else {
            return Err(ElasticError::validation(&[format!(
                "The first aggregation in buckets_path must be a multi-bucket aggregation for \
                 aggregation [{}]",
                self.definition.name
            )]));
        };
        let body = self.definition.body;
        let keys = || PipelineForm::Extreme(Box::new(beside.clone()));
        let (kind, form, typed) = match self.definition.type_name {
            "avg_bucket" => (SiblingKind::Avg, PipelineForm::Plain, "simple_value"),
            "sum_bucket" => (SiblingKind::Sum, PipelineForm::Plain, "simple_value"),
            "min_bucket" => (SiblingKind::Min, keys(), "bucket_metric_value"),
            "max_bucket" => (SiblingKind::Max, keys(), "bucket_metric_value"),
            "stats_bucket" => (SiblingKind::Stats, PipelineForm::Stats, "stats_bucket"),
            "extended_stats_bucket" => {
                let sigma = match body.get("sigma") {
                    None | Some(Value::Null) => SIGMA_DEFAULT,
                    Some(value) => read::float(value, "sigma")?,
                };
                let form = PipelineForm::ExtendedStats { sigma };
                (SiblingKind::ExtendedStats, form, "extended_stats_bucket")
            }
            _percentiles => {
                let percents = match body.get("percents") {
                    None | Some(Value::Null) => PERCENTS_DEFAULT.to_vec(),
                    Some(value) => read::one_or_many(value)
                        .iter()
                        .map(|percent| read::float(percent, "percents"))
                        .collect::<Result<_, _>>()?,
                };
                if let Some(wrong) = percents.iter().find(|p| !(0.0..=100.0).contains(*p)) {
                    return Err(ElasticError::validation(&[format!(
                        "[percents] must only contain non-null doubles from 0.0-100.0 inclusive, \
                         got [{wrong:?}]"
                    )]));
                }
                let keyed = body.get("keyed");
                let keyed = keyed.map_or(Ok(true), |value| read::flag(value, "keyed"))?;
                let form = PipelineForm::Percentiles { keyed };
                (
                    SiblingKind::Percentiles(percents),
                    form,
                    "percentiles_bucket",
                )
            }
        };
        Ok((PipelineKind::Sibling { kind, path }, form, typed))
    }
}

/// The width of a unit such as `1h`, a calendar's in its usual length.
fn unit_ms(text: &str) -> Option<f64> {
    let text = text.trim();
    let named = match text {
        "second" => "1s",
        "minute" => "1m",
        "hour" => "1h",
        "day" => "1d",
        "week" | "1w" => "7d",
        "month" | "1M" => "30d",
        "quarter" | "1q" => "90d",
        "year" | "1y" => "365d",
        other => other,
    };
    let digits = named.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = named.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1.0,
        "s" => 1e3,
        "m" => 6e4,
        "h" => 3.6e6,
        "d" => 8.64e7,
        _unknown => return None,
    };
    let number: f64 = number.parse().ok()?;
    (number > 0.0).then_some(number * unit_ms)
}
