using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cube.Benchmarks.Load;

/// <summary>The results of <see cref="LoadComparison"/>, as a table and as JSON.</summary>
internal sealed class LoadReport
{
    private static readonly JsonSerializerOptions _indented = new() { WriteIndented = true };

    /// <summary>The comparisons in the order of the table.</summary>
    public List<Comparison> Comparisons { get; } = [];

    public List<(StreamResult Yarp, StreamResult Cube)> Streams { get; } = [];

    /// <summary>Cube's best run by number of domains.</summary>
    public SortedDictionary<int, LoadResult> Domains { get; } = [];

    /// <summary>Cube's best run by number of routes.</summary>
    public SortedDictionary<int, LoadResult> Routes { get; } = [];

    public string ToJson()
    {
        var json = new JsonObject();
        if (Find(Scenario.Json64) is { } busy)
        {
            json["rps_ratio"] = Round(busy.Ratio);
            json["cpu_ratio"] = Round(busy.Cube.ProxyCpu / busy.Yarp.ProxyCpu);
            json["proxy_cpu_us"] = Round(busy.Cube.ProxyCpu);
            json["agent_cpu_us"] = Round(busy.Cube.AgentCpu);
            json["p99_ratio"] = Round(busy.Cube.Total(0.99) / busy.Yarp.Total(0.99));
            json["added_bytes_per_request"] = Round(busy.Cube.Allocated - busy.Yarp.Allocated);
        }

        if (Find(Scenario.Json1) is { } quiet)
        {
            json["added_p50_us"] = Round(quiet.Cube.Total(0.5) - quiet.Yarp.Total(0.5));
            json["added_p99_us"] = Round(quiet.Cube.Total(0.99) - quiet.Yarp.Total(0.99));
        }

        if (Find(Scenario.Stream20At8) is { } few)
        {
            json["added_first_token_ms"] = Round((few.Cube.FirstByte(0.5) - few.Yarp.FirstByte(0.5)) / 1000);
        }

        if (Find(Scenario.Stream20) is { } streams)
        {
            json["stream_ratio"] = Round(streams.Ratio);
        }

        if (Find(Scenario.Stream200) is { } longer)
        {
            json["stream_200_ratio"] = Round(longer.Ratio);
        }

        foreach (var (_, cube) in Streams)
        {
            json[$"streams_{cube.Streams}"] = new JsonObject
            {
                ["failed"] = cube.Failed + (cube.Streams - cube.Open),
                ["ttft_p50_ms"] = Round(cube.FirstTokenP50),
                ["ttft_p99_ms"] = Round(cube.FirstTokenP99),
                ["kb_per_stream"] = Round(cube.ProxyKilobytes),
            };
        }

        AddRatio("domains", Domains);
        AddRatio("routes", Routes);
        return json.ToJsonString(_indented);

        void AddRatio(string name, SortedDictionary<int, LoadResult> results)
        {
            foreach (var (count, result) in results.Where(static result => result.Key > 10))
            {
                json[$"{name}_{(count < 1000 ? $"{count}" : $"{count / 1000}k")}_ratio"] = Round(result.PerSecond / results[10].PerSecond);
            }
        }
    }

    private Comparison? Find(Scenario scenario) => Comparisons.Find(comparison => comparison.Scenario == scenario);

    public void WriteTable(TextWriter output)
    {
        output.WriteLine("| | Bare YARP | Cube | Ratio |");
        output.WriteLine("|---|---|---|---|");
        foreach (var comparison in Comparisons)
        {
            Row($"{comparison.Scenario.Name}, per second", comparison.Yarp.PerSecond, comparison.Cube.PerSecond, "F0");
            Row("– median, µs", comparison.Yarp.Total(0.5), comparison.Cube.Total(0.5), "F0");
            Row("– 99 %, µs", comparison.Yarp.Total(0.99), comparison.Cube.Total(0.99), "F0");
            Row("– first byte of the body, median, µs", comparison.Yarp.FirstByte(0.5), comparison.Cube.FirstByte(0.5), "F0");
            Row("– processor time of the proxy per request, µs", comparison.Yarp.ProxyCpu, comparison.Cube.ProxyCpu, "F0");
            Row("– processor time of the agent per request, µs", comparison.Yarp.AgentCpu, comparison.Cube.AgentCpu, "F0");
            Row("– allocated by the proxy per request, bytes", comparison.Yarp.Allocated, comparison.Cube.Allocated, "F0");
        }

        foreach (var (yarp, cube) in Streams)
        {
            Row($"{cube.Streams} concurrent streams, failed", yarp.Failed, cube.Failed, "F0");
            Row("– open at the same time", yarp.Open, cube.Open, "F0");
            Row("– first token, median, ms", yarp.FirstTokenP50, cube.FirstTokenP50, "F1");
            Row("– first token, 99 %, ms", yarp.FirstTokenP99, cube.FirstTokenP99, "F1");
            Row("– memory of the proxy per stream, KB", yarp.ProxyKilobytes, cube.ProxyKilobytes, "F1");
            Row("– memory of the agent per stream, KB", yarp.AgentKilobytes, cube.AgentKilobytes, "F1");
        }

        foreach (var (count, result) in Domains)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| JSON, 64 connections, {count} domains, per second | | {result.PerSecond:F0} | {result.PerSecond / Domains[10].PerSecond:F2} of 10 |"));
        }

        foreach (var (count, result) in Routes)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| JSON, 64 connections, {count} routes, per second | | {result.PerSecond:F0} | {result.PerSecond / Routes[10].PerSecond:F2} of 10 |"));
        }

        void Row(string name, double yarp, double cube, string format) => output.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"| {name} | {yarp.ToString(format, CultureInfo.InvariantCulture)} | {cube.ToString(format, CultureInfo.InvariantCulture)} | {(yarp > 0 ? cube / yarp : double.NaN):F2} |"));
    }

    private static double Round(double value) => Math.Round(value, Math.Abs(value) < 10 ? 3 : 1);
}
