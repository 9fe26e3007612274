using System.Reflection;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Cube.ServiceDefaults.Hosting;

/// <summary>
/// <c>/health</c> is the readiness probe, <c>/alive</c> the liveness probe. Both answer GET and HEAD with <c>application/health+json</c>, without
/// details of the dependencies.
/// </summary>
public static class HealthEndpoints
{
    public const string LiveTag = "live";

    /// <param name="endpoints">The route builder.</param>
    /// <param name="service">The service name for the member <c>description</c>, as in <c>cube-proxy service</c>.</param>
    /// <param name="attestation">The value of the member <c>attestation</c>, or null for a service that has none.</param>
    public static IEndpointRouteBuilder MapDefaultEndpoints(this IEndpointRouteBuilder endpoints, string service, Func<string>? attestation = null)
    {
        Map(endpoints, "/health", service, attestation, static _ => true);
        Map(endpoints, "/alive", service, attestation, static check => check.Tags.Contains(LiveTag));
        return endpoints;
    }

    private static void Map(
        IEndpointRouteBuilder endpoints, string path, string service, Func<string>? attestation, Func<HealthCheckRegistration, bool> checks) =>
        endpoints.MapHealthChecks(path, new HealthCheckOptions
        {
            Predicate = checks,
            ResponseWriter = (context, report) => WriteAsync(context, report, service, attestation),
        }).WithMetadata(new HttpMethodMetadata([HttpMethods.Get, HttpMethods.Head])).AllowAnonymous();

    private static async Task WriteAsync(HttpContext context, HealthReport report, string service, Func<string>? attestation)
    {
        context.Response.ContentType = "application/health+json";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteString("status", report.Status == HealthStatus.Unhealthy ? "fail" : "pass");
        json.WriteString("version", Version);
        json.WriteString("description", $"{service} service");
        if (attestation is not null)
        {
            json.WriteString("attestation", attestation());
        }

        json.WriteEndObject();
    }

    /// <summary>The product version without build metadata.</summary>
    public static string Version { get; } =
        (typeof(HealthEndpoints).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0")
        .Split('+')[0];
}
