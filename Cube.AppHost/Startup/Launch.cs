using Cube.AppHost.Settings;
using Microsoft.Extensions.Options;

namespace Cube.AppHost.Startup;

/// <summary>Runs the application. If it cannot start, writes one line to standard error and returns exit code 1.</summary>
internal static class Launch
{
    public static async Task<int> RunAsync(Func<Task<DistributedApplication>> build)
    {
        try
        {
            await using var app = await build();
            await app.RunAsync();
            return Readiness.Failure is { } failure ? await RefuseAsync(failure) : 0;
        }
        catch (StartupException exception)
        {
            return await RefuseAsync(exception.Message);
        }
        catch (Exception exception) when (exception is DistributedApplicationException or OptionsValidationException)
        {
            return await RefuseAsync(Readiness.Failure ?? exception.Message.ReplaceLineEndings(" "));
        }
        catch (OperationCanceledException)
        {
            // Stopped during startup by Ctrl-C, or by Readiness, which sets Failure.
            return Readiness.Failure is { } failure ? await RefuseAsync(failure) : 0;
        }
    }

    private static async Task<int> RefuseAsync(string reason)
    {
        await Console.Error.WriteLineAsync($"cube: {reason}");
        return 1;
    }
}
