using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Configuration.Routes;

/// <summary>Settings of the section <c>Routing</c>.</summary>
internal sealed class RoutingOptions
{
    public const string Section = "Routing";

    /// <summary>
    /// The seed routes, as a JSON array or as the path of a file with one. The proxy stores them once, in a new database. By default one route forwards every request to the configured agents.
    /// </summary>
    [Required(ErrorMessage = "Routing__FirstRoutes must be a JSON array of routes, or the path of a file with one.")]
    public string FirstRoutes { get; set; } = """[{"name":"agent","target_url":"https://agent","default_rule":true}]""";
}

[OptionsValidator]
internal sealed partial class RoutingOptionsValidator : IValidateOptions<RoutingOptions>;
