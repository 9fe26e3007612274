using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Cube.Benchmarks.Load;

/// <summary>
/// <c>load [--json FILE] [--check FILE] [--quick] [--only TEXT]</c>: compares Cube with bare YARP in one run. <c>--check</c> fails if a ratio is worse than the recorded one by more than a third. <c>--only</c> runs the
/// scenarios whose name contains the text. <c>--profile SECONDS</c> sends the requests of one scenario to Cube only, for a profiler.
/// Needs Linux with two cores and the program <c>taskset</c>.
/// </summary>
internal static class LoadCommand
{
    private const string PinnedVariable = "CUBE_LOAD_PINNED";

    /// <summary>Higher is better for these members, lower for <see cref="_lower"/>. Others depend on the machine.</summary>
    private static readonly string[] _higher = ["rps_ratio", "stream_ratio", "stream_200_ratio", "domains_500_ratio", "domains_10k_ratio", "routes_500_ratio", "routes_1k_ratio"];
    private static readonly string[] _lower = ["cpu_ratio"];

    public static async Task<int> RunAsync(string[] args)
    {
        switch (args)
        {
            case ["mock", var port, var tlsPort]:
                await MockBackend.RunAsync(Number(port), Number(tlsPort));
                return 0;
            case ["yarp", var port, var backend]:
                await BareYarp.RunAsync(Number(port), Number(backend));
                return 0;
        }

        if (!OperatingSystem.IsLinux() || (Environment.ProcessorCount < 2 && Environment.GetEnvironmentVariable(PinnedVariable) is null))
        {
            await Console.Error.WriteLineAsync("load needs Linux and two cores: the proxy runs on one of them, everything else on the other.");
            return 1;
        }

        // The affinity of a running process does not apply to its existing threads, so this program starts again on its core.
        return Environment.GetEnvironmentVariable(PinnedVariable) is null ? await RunPinnedAsync(args) : await CompareAsync(args);
    }

    private static async Task<int> RunPinnedAsync(string[] args)
    {
        var start = new ProcessStartInfo("taskset", ["-c", $"{LoadSystem.OtherCore}", "dotnet", typeof(LoadCommand).Assembly.Location, "load", .. args]);
        start.Environment[PinnedVariable] = "1";
        using var process = Process.Start(start) ?? throw new InvalidOperationException("taskset does not start.");
        await process.WaitForExitAsync();
        return process.ExitCode;
    }

    private static async Task<int> CompareAsync(string[] args)
    {
        var isQuick = args.Contains("--quick");
        await using var system = await LoadSystem.StartAsync(CancellationToken.None);
        if (Value(args, "--profile") is { } seconds)
        {
            await new LoadComparison(system, new LoadGenerator(system), isQuick, Value(args, "--only"), Console.Error).ProfileAsync(TimeSpan.FromSeconds(Number(seconds)), CancellationToken.None);
            return 0;
        }

        var report = await new LoadComparison(system, new LoadGenerator(system), isQuick, Value(args, "--only"), Console.Error).RunAsync(CancellationToken.None);
        report.WriteTable(Console.Out);
        var json = report.ToJson();
        if (Value(args, "--json") is { } file)
        {
            await File.WriteAllTextAsync(file, json + "\n");
        }

        return Value(args, "--check") is { } recorded ? Check(JsonNode.Parse(json)!.AsObject(), JsonNode.Parse(await File.ReadAllTextAsync(recorded))!.AsObject()) : 0;
    }

    private static int Check(JsonObject measured, JsonObject recorded)
    {
        var failures = 0;
        foreach (var name in (string[])[.. _higher, .. _lower])
        {
            if (measured[name]?.GetValue<double>() is not { } now || recorded[name]?.GetValue<double>() is not { } before)
            {
                continue;
            }

            if (_lower.Contains(name) ? now > before * 1.5 : now < before * 2 / 3)
            {
                Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name} is {now}; recorded: {before}."));
                failures++;
            }
        }

        foreach (var (name, value) in measured.Where(static member => member.Key.StartsWith("streams_", StringComparison.Ordinal)))
        {
            if (value!["failed"]!.GetValue<double>() > 0)
            {
                Console.Error.WriteLine($"{name}: streams failed.");
                failures++;
            }
        }

        return failures == 0 ? 0 : 1;
    }

    private static string? Value(string[] args, string name) => Array.IndexOf(args, name) is >= 0 and var index && index + 1 < args.Length ? args[index + 1] : null;

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
