using System.Text;
using System.Text.Json;
using Cube.Attestation.Policy;
using Cube.ServiceDefaults.Hosting;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Configuration.Routes;

/// <summary>Reads the routes that the proxy stores in a new database.</summary>
internal sealed class SeedRoutes(IOptions<RoutingOptions> options)
{
    /// <exception cref="SettingException">The setting is not a valid array of routes, or its file cannot be read.</exception>
    public IReadOnlyList<(RouteDefinition Route, string? Policy)> Read(bool allowSimulated)
    {
        try
        {
            var setting = options.Value.FirstRoutes;
            var text = setting.TrimStart().StartsWith('[') ? setting : File.ReadAllText(setting);
            var routes = new List<(RouteDefinition, string?)>();
            foreach (var item in JsonElement.Parse(text).EnumerateArray())
            {
                var (route, policy) = RouteJson.Read(Encoding.UTF8.GetBytes(item.GetRawText()), null);
                routes.Add((route, policy.ValueKind == JsonValueKind.Object ? PolicyJson.Write(PolicyJson.Parse(Encoding.UTF8.GetBytes(policy.GetRawText()), allowSimulated), allowSimulated) : null));
            }

            return routes;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or RouteException or PolicyException or IOException or UnauthorizedAccessException)
        {
            throw new SettingException($"The proxy cannot load Routing__FirstRoutes: {exception.Message}");
        }
    }
}
