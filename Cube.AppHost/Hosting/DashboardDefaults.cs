using System.Globalization;
using System.Security.Cryptography;
using Cube.AppHost.Settings;

namespace Cube.AppHost.Hosting;

/// <summary>
/// Sets the environment variables that Aspire's AppHost reads. Usually a launch profile sets them. Here they follow the settings, so
/// that the AppHost starts in the same way without a profile, and several times on one machine. Existing values are kept.
/// </summary>
internal static class DashboardDefaults
{
    public static void Apply(CubeSettings settings)
    {
        Set("DOTNET_ENVIRONMENT", "Development");
        Set("ASPNETCORE_ENVIRONMENT", Environment.GetEnvironmentVariable("DOTNET_ENVIRONMENT")!);
        Set("ASPIRE_ALLOW_UNSECURED_TRANSPORT", "true");
        Set("ASPNETCORE_URLS", Url(settings.Ports.Dashboard));
        Set("ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL", Url(settings.Ports.Otlp));
        Set("ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL", Url(settings.Ports.ResourceService));
        Set("ASPIRE_DASHBOARD_FRONTEND_BROWSERTOKEN", RandomNumberGenerator.GetHexString(32, lowercase: true));
    }

    /// <summary>URL of the dashboard with its login token.</summary>
    public static string LoginUrl =>
        $"{Environment.GetEnvironmentVariable("ASPNETCORE_URLS")}/login?t={Environment.GetEnvironmentVariable("ASPIRE_DASHBOARD_FRONTEND_BROWSERTOKEN")}";

    private static string Url(int port) => string.Create(CultureInfo.InvariantCulture, $"http://localhost:{port}");

    private static void Set(string name, string value)
    {
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable(name)))
        {
            Environment.SetEnvironmentVariable(name, value);
        }
    }
}
