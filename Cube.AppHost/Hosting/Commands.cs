using System.ComponentModel;
using System.Diagnostics;
using Cube.AppHost.Settings;

namespace Cube.AppHost.Hosting;

/// <summary>Runs short programs of the host.</summary>
internal static class Commands
{
    /// <returns>True if the program exists and exits with code 0 within the limit.</returns>
    public static async Task<bool> SucceedsAsync(string program, string[] arguments, TimeSpan limit)
    {
        try
        {
            using var process = Start(program, arguments);
            using var timeout = new CancellationTokenSource(limit);
            var output = Task.WhenAll(process.StandardOutput.ReadToEndAsync(timeout.Token), process.StandardError.ReadToEndAsync(timeout.Token));
            try
            {
                await process.WaitForExitAsync(timeout.Token);
                await output;
                return process.ExitCode == 0;
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                return false;
            }
        }
        catch (Win32Exception)
        {
            return false;
        }
    }

    /// <exception cref="StartupException">The program does not exist or failed. The message ends with its last line of output.</exception>
    public static async Task RunAsync(string program, params string[] arguments)
    {
        try
        {
            using var process = Start(program, arguments);
            var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
            await process.WaitForExitAsync();
            if (process.ExitCode != 0)
            {
                var said = $"{await output}\n{await error}".Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
                throw new StartupException($"{Path.GetFileName(program)} failed: {said.LastOrDefault() ?? $"exit code {process.ExitCode}"}");
            }
        }
        catch (Win32Exception exception)
        {
            throw new StartupException($"{program} cannot be run: {exception.Message}");
        }
    }

    /// <returns>The full path of a program on the <c>PATH</c>, or null.</returns>
    public static string? Find(string program)
    {
        var name = OperatingSystem.IsWindows() ? program + ".exe" : program;
        return (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, name))
            .FirstOrDefault(File.Exists);
    }

    private static Process Start(string program, string[] arguments) =>
        Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })
        ?? throw new StartupException($"{program} cannot be run.");
}
