using System.Text;
using System.Text.Json;
using Cube.Attestation.Policy;
using Cube.ServiceDefaults.Hosting;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Routing;

/// <summary>The section <c>Routing</c>.</summary>
internal sealed class RoutingOptions
{
    public const string Section = "Routing";

    /// <summary>
    /// The first routes, as a JSON array or as the path of a file with one; written to the database once, while it has never had any. By
    /// default one that leads everything to the agents of the configuration.
    /// </summary>
    public string FirstRoutes { get; set; } = """[{"name":"agent","target_url":"https://agent","default_rule":true}]""";
}

internal sealed class FirstRoutes(IOptions<RoutingOptions> options)
{
    /// <exception cref="SettingException">They are not what a route must be.</exception>
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
            throw new SettingException($"Routing__FirstRoutes cannot be loaded: {exception.Message}");
        }
    }
}
