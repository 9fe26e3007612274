using System.Collections.Concurrent;
using System.Diagnostics;

namespace Cube.Tests.Systems;

/// <summary>A child process whose output is recorded.</summary>
public sealed class ServiceProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly ConcurrentQueue<string> _lines = new();

    private ServiceProcess(string name, Process process)
    {
        (Name, _process) = (name, process);
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public string Name { get; }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    public string Output => string.Join('\n', _lines);

    /// <summary>Starts a service of Cube, in the Development environment by default.</summary>
    public static ServiceProcess StartService(string project, IEnumerable<KeyValuePair<string, string>> settings) => Start(
        project,
        "dotnet",
        [Path.Combine(AppContext.BaseDirectory, $"{project}.dll")],
        [new("ASPNETCORE_ENVIRONMENT", "Development"), new("DOTNET_gcServer", "0"), .. settings]);

    public static ServiceProcess Start(string name, string program, string[] arguments, IEnumerable<KeyValuePair<string, string>> environment)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetTempPath(),
        };
        // Settings of the test machine must not affect the service.
        foreach (var inherited in start.Environment.Keys.Where(static key => key.Contains("__", StringComparison.Ordinal) || key.StartsWith("OTEL_", StringComparison.Ordinal)
            || key.StartsWith("ASPNETCORE_", StringComparison.Ordinal) || key.StartsWith("DOTNET_ENV", StringComparison.Ordinal)).ToArray())
        {
            start.Environment.Remove(inherited);
        }

        foreach (var (key, value) in environment)
        {
            start.Environment[key] = value;
        }

        return new ServiceProcess(name, Process.Start(start) ?? throw new InvalidOperationException($"{program} does not start."));
    }

    public async Task<int> WaitForExitAsync(int seconds = 60)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        await _process.WaitForExitAsync(timeout.Token);
        return _process.ExitCode;
    }

    public void Kill() => _process.Kill(entireProcessTree: true);

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            // Does not wait for the end of the output: child processes may keep it open for seconds.
            await Task.Run(() => _process.WaitForExit(TimeSpan.FromSeconds(10)));
        }

        _process.Dispose();
    }

    private void Keep(string? line)
    {
        if (line is not null)
        {
            _lines.Enqueue(line);
        }
    }
}
