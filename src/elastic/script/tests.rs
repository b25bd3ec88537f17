//! Scripts in, values and errors out.

use query::pipeline::Expression;
use serde_json::json;

use super::*;

fn compile(source: &str, kind: ScriptKind) -> Result<Expression, ElasticError> {
    let script = Script::read(&json!({"source": source, "params": {"k": 3}}))?;
    script.compile(kind, &["a".into(), "b".into()])
}

#[test]
fn scripts_that_dashboards_write() {
    for source in [
        "params.a / params.b",
        "params['a'] * 100.0d - params.k",
        "if (params.b == 0) { return 0; } else { return params.a / params.b }",
        "def ratio = params.a / params.b; return ratio > 1 ? 1 : ratio;",
        "Math.max(params.a, -params.b) >= 1e3 && !(params.a != null)",
        "a + b",
        "// a comment\nreturn 100 - 100 / (1 + params.a / Math.abs(params.b));",
    ] {
        compile(source, ScriptKind::Bucket).expect(source);
    }
    for source in [
        "MovingFunctions.unweightedAvg(values)",
        "return values.length > 0 ? values[values.length - 1] * 2 : Double.NaN",
        "MovingFunctions.stdDev(values, MovingFunctions.unweightedAvg(values))",
        "MovingFunctions.holtWinters(values, 0.3, 0.1, 0.1, 7, false)",
    ] {
        compile(source, ScriptKind::Moving).expect(source);
    }
}

#[test]
fn what_cannot_be_read_names_its_place() {
    let check = |source: &str, offset: usize, reason: &str| {
        let error = compile(source, ScriptKind::Bucket).expect_err(source);
        let value = error.to_value();
        assert_eq!(value["type"], "script_exception");
        assert_eq!(value["position"]["offset"], offset, "{source}");
        assert_eq!(value["caused_by"]["reason"], reason, "{source}");
    };
    check("params.b + nope", 11, "cannot resolve symbol [nope]");
    check("params.a +* 2", 10, "unexpected token ['*'].");
    check("(1", 2, "unexpected token ['<EOF>'].");
    check("1 # 2", 2, "unexpected character [#].");
    check("Math.nope(1)", 5, "cannot resolve symbol [nope]");
    let deep = format!("{}1{}", "(".repeat(1_000), ")".repeat(1_000));
    compile(&deep, ScriptKind::Bucket).expect_err("too deep");
    let wide = "if (a > 0) { def x = 1; } ".repeat(64);
    compile(&wide, ScriptKind::Bucket).expect_err("2^64 ways");
}
