//! An SVG of the results: for each operation a bar a server or database, its length the requests per second of the
//! server's CPU time on a logarithmic scale, and a mark where the goal is.

use std::fmt::Write;

use serde_json::Value;

const LEFT: f64 = 210.0;
const WIDTH: f64 = 620.0;
const BAR: f64 = 12.0;
const GAP: f64 = 10.0;
const TOP: f64 = 46.0;
/// The scale: from 10 to 100,000.
const DECADES: std::ops::RangeInclusive<i32> = 1..=5;
const COLOURS: [&str; 5] = ["#1f6f5c", "#8a5a00", "#4a5aa8", "#9a3b3b", "#5f5f5f"];

/// Draws what `report` wrote at the number of connections that the goals are for, or else at the highest.
pub fn svg(results: &[Value]) -> String {
    let shown = at_one_concurrency(results);
    let series = distinct(&shown, "database");
    let operations = distinct(&shown, "operation");
    let group = BAR * series.len() as f64 + GAP;
    let bottom = TOP + group * operations.len() as f64;
    let (height, width) = (bottom + 30.0, LEFT + WIDTH + 90.0);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"11\" role=\"img\" \
         aria-label=\"Requests per server CPU-second of each operation\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    legend(&mut text, &series);
    scale(&mut text, bottom);
    for (index, operation) in operations.iter().enumerate() {
        let y = TOP + group * index as f64;
        let middle = y + (group - GAP) / 2.0 + 4.0;
        line(
            &mut text,
            &format!(
                "<text x=\"{:.0}\" y=\"{middle:.1}\" text-anchor=\"end\">{operation}</text>",
                LEFT - 8.0
            ),
        );
        for (place, name) in series.iter().enumerate() {
            let of = |result: &&&Value| result["operation"] == **operation && result["database"] == **name;
            if let Some(result) = shown.iter().find(of) {
                bar(&mut text, result, y + BAR * place as f64, COLOURS[place % COLOURS.len()]);
            }
        }
    }
    text.push_str("</svg>\n");
    text
}

fn at_one_concurrency(results: &[Value]) -> Vec<&Value> {
    let concurrency = |result: &Value| result["concurrency"].as_u64().unwrap_or_default();
    let goal = crate::report::GOAL_CONCURRENCY as u64;
    let has_goal = results.iter().any(|result| concurrency(result) == goal);
    let shown = if has_goal { goal } else { results.iter().map(concurrency).max().unwrap_or_default() };
    results.iter().filter(|result| concurrency(result) == shown).collect()
}

/// The values of a member, in the order of their first appearance.
fn distinct<'r>(results: &[&'r Value], member: &str) -> Vec<&'r str> {
    let mut names = Vec::new();
    for name in results.iter().filter_map(|result| result[member].as_str()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn legend(text: &mut String, series: &[&str]) {
    let mut x = LEFT;
    for (place, name) in series.iter().enumerate() {
        let colour = COLOURS[place % COLOURS.len()];
        line(text, &format!("<rect x=\"{x:.0}\" y=\"10\" width=\"10\" height=\"10\" fill=\"{colour}\"/>"));
        line(text, &format!("<text x=\"{:.0}\" y=\"19\">{name}</text>", x + 14.0));
        x += 30.0 + 7.0 * name.len() as f64;
    }
    line(
        text,
        &format!(
            "<text x=\"{x:.0}\" y=\"19\" fill=\"#444\">| the goal; requests per server CPU-second</text>"
        ),
    );
}

fn scale(text: &mut String, bottom: f64) {
    for power in DECADES {
        let value = 10f64.powi(power);
        let x = place(value);
        line(text, &format!("<path d=\"M{x:.1} {:.0}V{bottom:.0}\" stroke=\"#ddd\"/>", TOP - 8.0));
        line(
            text,
            &format!("<text x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{value}</text>", bottom + 16.0),
        );
    }
}

fn bar(text: &mut String, result: &Value, y: f64, colour: &str) {
    let Some(figure) = result["requests_per_cpu_second"].as_f64() else { return };
    let end = place(figure);
    let height = BAR - 2.0;
    line(
        text,
        &format!(
            "<rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height}\" fill=\"{colour}\"/>",
            end - LEFT,
        ),
    );
    line(
        text,
        &format!("<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"9\">{figure:.0}</text>", end + 4.0, y + 8.5),
    );
    if let Some(goal) = result["goal"].as_f64() {
        let x = place(goal);
        line(text, &format!("<path d=\"M{x:.1} {:.1}v{BAR}\" stroke=\"#c00\" stroke-width=\"2\"/>", y - 1.0));
    }
}

fn place(value: f64) -> f64 {
    let (first, last) = (f64::from(*DECADES.start()), f64::from(*DECADES.end()));
    LEFT + WIDTH * ((value.max(1.0).log10() - first) / (last - first)).clamp(0.0, 1.0)
}

fn line(text: &mut String, element: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{element}");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bar_is_drawn_for_each_result_at_64_connections() {
        let result = |database, operation, concurrency, figure, goal: Option<f64>| {
            json!({"database": database, "operation": operation, "concurrency": concurrency,
                "requests_per_cpu_second": figure, "goal": goal})
        };
        let drawn = svg(&[
            result("postgres", "refresh", 16, 999.0, None),
            result("postgres", "refresh", 64, 5_000.0, Some(9_000.0)),
            result("sqlite", "refresh", 64, 2_000.0, None),
        ]);
        assert!(drawn.contains(">5000<") && drawn.contains(">2000<") && !drawn.contains(">999<"), "{drawn}");
        assert_eq!(drawn.matches("#c00").count(), 1);
        assert_eq!(place(10.0), LEFT);
        assert_eq!(place(100_000.0), LEFT + WIDTH);
    }
}
