using Cube.ServiceDefaults.Errors;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Cube.Proxy.Authentication;

/// <summary>Unhealthy without Identity's keys, because the proxy cannot verify access tokens then.</summary>
internal sealed class IdentityHealthCheck(IdentityKeys keys) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            return (await keys.GetAsync(null, cancellationToken)).Length > 0
                ? HealthCheckResult.Healthy()
                : HealthCheckResult.Unhealthy("Identity publishes no keys.");
        }
        catch (UnavailableException exception)
        {
            return HealthCheckResult.Unhealthy(exception.Message);
        }
    }
}
