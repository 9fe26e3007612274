using Cube.Proxy.Authorization;
using Cube.Proxy.Edge;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.Features;

namespace Cube.Proxy.Limits;

/// <summary>Counts a request below a domain from its authorization to the end of its response. If a limit is reached, the request is rejected.</summary>
internal sealed class InFlightMiddleware(RequestDelegate next, InFlightCounter inFlight)
{
    public Task InvokeAsync(HttpContext context) =>
        context.GetEndpoint()?.Metadata.GetMetadata<DomainEndpointMetadata>() is null ? next(context) : CountAsync(context);

    private async Task CountAsync(HttpContext context)
    {
        var member = context.Features.GetRequiredFeature<DomainMember>();
        var (domain, caller) = (member.DomainId, member.Caller.UserId);
        if (inFlight.TryBeginRequest(domain, caller) is { } error)
        {
            await error.WriteAsync(context);
            return;
        }

        using var lease = new BodyLease(inFlight, domain, caller);
        try
        {
            context.Features.Set(lease);
            await next(context);
        }
        finally
        {
            lease.Release();
            inFlight.EndRequest(domain, caller);
        }
    }
}
