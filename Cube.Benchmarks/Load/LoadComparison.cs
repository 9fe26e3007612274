using System.Diagnostics;

namespace Cube.Benchmarks.Load;

/// <summary>Runs all scenarios, for bare YARP and Cube in turn.</summary>
internal sealed class LoadComparison(LoadSystem system, LoadGenerator generator, bool isQuick, string? only, TextWriter progress)
{
    /// <summary>The share of foreign processor time above which a run is disturbed and repeated.</summary>
    private const double MaxForeign = 0.05;
    private const int MaxRepetitions = 3;

    private readonly TimeSpan _duration = TimeSpan.FromSeconds(isQuick ? 2 : 5);
    private readonly int _rounds = isQuick ? 1 : 3;

    public async Task<LoadReport> RunAsync(CancellationToken ct)
    {
        await system.AddDomainsAsync(10, ct);
        Dictionary<int, byte[][]> requests = new()
        {
            [0] = [system.Chat(system.Domains[0])],
            [20] = [system.Chat(system.Domains[0], events: 20)],
            [200] = [system.Chat(system.Domains[0], events: 200)],
        };
        foreach (var isCube in (bool[])[false, true])
        {
            await WarmUpAsync(isCube, requests[0]);
            await WarmUpAsync(isCube, requests[20]);
        }

        var report = new LoadReport();
        foreach (var scenario in Scenario.All.Where(scenario => Includes(scenario.Name)))
        {
            report.Comparisons.Add(await CompareAsync(scenario, requests[scenario.Events]));
        }

        foreach (var streams in isQuick ? (int[])[1000] : [1000, 3000, 9000])
        {
            if (Includes($"{streams} streams"))
            {
                report.Streams.Add(await CompareStreamsAsync(streams));
            }
        }

        if (Includes("domains"))
        {
            await MeasureDomainsAsync(report, ct);
        }

        if (Includes("routes"))
        {
            await MeasureRoutesAsync(report, requests[0], ct);
        }

        return report;
    }

    /// <summary>Runs the first scenario that is included, on Cube only.</summary>
    public async Task ProfileAsync(TimeSpan duration, CancellationToken ct)
    {
        await system.AddDomainsAsync(1, ct);
        var scenario = Scenario.All.First(scenario => Includes(scenario.Name));
        byte[][] requests = [system.Chat(system.Domains[0], scenario.Events)];
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < duration;)
        {
            var result = await generator.RunAsync(isCube: true, requests, scenario.Connections, TimeSpan.FromSeconds(2));
            await progress.WriteLineAsync($"{result.PerSecond:F0}/s, proxy {result.ProxyCpu:F0} µs and {result.Allocated:F0} bytes, agent {result.AgentCpu:F0} µs, median {result.Total(0.5):F0} µs, 99 % {result.Total(0.99):F0} µs, garbage collection {result.Collections:F1} times and {result.Pauses.TotalMilliseconds:F1} ms per second");
        }
    }

    private bool Includes(string name) => only is null || name.Contains(only, StringComparison.OrdinalIgnoreCase);

    /// <summary>Sends requests until the throughput no longer grows: .NET compiles the hot methods again in the first seconds.</summary>
    private async Task WarmUpAsync(bool isCube, byte[][] requests)
    {
        double best = 0;
        var steady = 0;
        for (var window = 0; window < (isQuick ? 4 : 40) && steady < (isQuick ? 2 : 6); window++)
        {
            var result = await generator.RunAsync(isCube, requests, 64, TimeSpan.FromSeconds(2));
            ThrowIfFailed(isCube, result);
            steady = result.PerSecond < best * 1.03 ? steady + 1 : 0;
            best = Math.Max(best, result.PerSecond);
        }

        await progress.WriteLineAsync($"warm: {NameOf(isCube)} {best:F0}/s");
    }

    private async Task<Comparison> CompareAsync(Scenario scenario, byte[][] requests)
    {
        LoadResult? yarp = null, cube = null;
        for (var round = 0; round < _rounds; round++)
        {
            yarp = Better(yarp, await RunUndisturbedAsync(isCube: false, requests, scenario.Connections));
            cube = Better(cube, await RunUndisturbedAsync(isCube: true, requests, scenario.Connections));
        }

        await progress.WriteLineAsync($"{scenario.Name}: {yarp!.PerSecond:F0}/s and {cube!.PerSecond:F0}/s");
        return new Comparison(scenario, yarp, cube);

        static LoadResult Better(LoadResult? one, LoadResult other) => one is null || other.PerSecond > one.PerSecond ? other : one;
    }

    private async Task<LoadResult> RunUndisturbedAsync(bool isCube, byte[][] requests, int connections)
    {
        for (var repetition = 1; ; repetition++)
        {
            var result = await generator.RunAsync(isCube, requests, connections, _duration);
            ThrowIfFailed(isCube, result);
            if (result.Foreign <= MaxForeign || repetition == MaxRepetitions)
            {
                return result;
            }
        }
    }

    private async Task<(StreamResult Yarp, StreamResult Cube)> CompareStreamsAsync(int streams)
    {
        // All open within ten seconds or less. Each lasts until all are open and some seconds longer.
        var perSecond = Math.Max(500, streams / 10);
        var request = system.Chat(system.Domains[0], events: (streams / perSecond) + 4, isPaced: true);
        var yarp = await generator.RunStreamsAsync(isCube: false, request, streams, perSecond);
        var cube = await generator.RunStreamsAsync(isCube: true, request, streams, perSecond);
        await progress.WriteLineAsync($"{streams} streams: {yarp.FirstTokenP99:F1} ms and {cube.FirstTokenP99:F1} ms, {yarp.Failed} and {cube.Failed} failed");
        return (yarp, cube);
    }

    private async Task MeasureDomainsAsync(LoadReport report, CancellationToken ct)
    {
        foreach (var count in isQuick ? (int[])[10, 500] : [10, 1000, 10_000])
        {
            await system.AddDomainsAsync(count, ct);
            byte[][] requests = [.. system.Domains.Select(domain => system.Chat(domain))];
            LoadResult? best = null;
            for (var round = 0; round <= _rounds; round++)
            {
                var result = await RunUndisturbedAsync(isCube: true, requests, 64);
                best = best is null || result.PerSecond > best.PerSecond ? result : best;
            }

            report.Domains[count] = best!;
            await progress.WriteLineAsync($"{count} domains: {best!.PerSecond:F0}/s");
        }
    }

    private async Task MeasureRoutesAsync(LoadReport report, byte[][] json, CancellationToken ct)
    {
        var from = 0;
        foreach (var count in isQuick ? (int[])[10, 500] : [10, 1000])
        {
            await system.AddRoutesAsync(from, count, ct);
            from = count;
            LoadResult? best = null;
            for (var round = 0; round <= _rounds; round++)
            {
                var result = await RunUndisturbedAsync(isCube: true, json, 64);
                best = best is null || result.PerSecond > best.PerSecond ? result : best;
            }

            report.Routes[count] = best!;
            await progress.WriteLineAsync($"{count} routes: {best!.PerSecond:F0}/s");
        }
    }

    private static void ThrowIfFailed(bool isCube, LoadResult result)
    {
        if (result.Failures > 0 || result.Requests == 0)
        {
            throw new InvalidOperationException($"{NameOf(isCube)}: {result.Failures} requests failed, {result.Requests} succeeded.");
        }
    }

    private static string NameOf(bool isCube) => isCube ? "Cube" : "bare YARP";
}

/// <summary>The best run of each side.</summary>
internal sealed record Comparison(Scenario Scenario, LoadResult Yarp, LoadResult Cube)
{
    public double Ratio => Cube.PerSecond / Yarp.PerSecond;
}

/// <param name="Name">The name in the table, of which <c>--only</c> takes a part.</param>
/// <param name="Events">The number of events of a stream; 0 for a response in JSON.</param>
/// <param name="Connections">The number of connections, each of which sends one request after another.</param>
internal sealed record Scenario(string Name, int Events, int Connections)
{
    public static Scenario Json1 { get; } = new("JSON, 1 connection", 0, 1);

    public static Scenario Json8 { get; } = new("JSON, 8 connections", 0, 8);

    public static Scenario Json64 { get; } = new("JSON, 64 connections", 0, 64);

    public static Scenario Stream20At8 { get; } = new("20-event streams, 8 connections", 20, 8);

    public static Scenario Stream20 { get; } = new("20-event streams, 64 connections", 20, 64);

    public static Scenario Stream200 { get; } = new("200-event streams, 64 connections", 200, 64);

    public static Scenario[] All { get; } = [Json1, Json8, Json64, Stream20At8, Stream20, Stream200];
}
