using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Cube.ServiceDefaults.Hosting;

/// <summary>Runs a service. A configuration error ends the process with a one-line message and exit code 1 instead of a stack trace.</summary>
public static class ServiceHost
{
    /// <summary>Settings are read once, at the start. ASP.NET would otherwise watch the directory for changes of files.</summary>
    public static WebApplicationBuilder CreateBuilder(string[] args) => WebApplication.CreateBuilder([.. args, "--hostBuilder:reloadConfigOnChange=false"]);

    public static async Task<int> RunAsync(Func<WebApplication> build)
    {
        try
        {
            await using var app = build();
            await StartAsync(app);
            await app.WaitForShutdownAsync();
            return 0;
        }
        catch (SettingException exception)
        {
            return await RefuseAsync(exception.Message);
        }
        catch (OptionsValidationException exception)
        {
            return await RefuseAsync(string.Join(" ", exception.Failures));
        }
        catch (InvalidOperationException exception) when (exception.Message.StartsWith("Failed to convert configuration value", StringComparison.Ordinal))
        {
            return await RefuseAsync(exception.Message);
        }
        catch (IOException exception) when (exception.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException)
        {
            return await RefuseAsync(exception.Message);
        }
        catch (SocketException exception) when (exception.SocketErrorCode is SocketError.AddressNotAvailable or SocketError.AccessDenied)
        {
            return await RefuseAsync($"The service cannot listen on an address of ASPNETCORE_URLS: {exception.Message}.");
        }
    }

    /// <summary>Rejects a feature that is for development only.</summary>
    /// <exception cref="SettingException">The environment is Production.</exception>
    public static void RefuseInProduction(this IHostEnvironment environment, string what)
    {
        if (environment.IsProduction())
        {
            throw new SettingException($"{what} is for development only. The service does not start with it in the environment Production.");
        }
    }

    private static async Task StartAsync(WebApplication app)
    {
        try
        {
            await app.StartAsync();
        }
        catch
        {
            // Otherwise the host reports the cancellation of each background service as a failure of that service.
            app.Lifetime.StopApplication();
            throw;
        }
    }

    private static async Task<int> RefuseAsync(string reason)
    {
        await Console.Error.WriteLineAsync($"{AppDomain.CurrentDomain.FriendlyName}: {reason}");
        return 1;
    }
}
