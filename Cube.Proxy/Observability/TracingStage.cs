using System.Diagnostics;
using Cube.Proxy.Edge;

namespace Cube.Proxy.Observability;

/// <summary>Gives the server's span a name without tenant ids in it, and the ids as attributes.</summary>
internal sealed class TracingStage(RequestDelegate next)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var activity = Activity.Current;
        try
        {
            await next(context);
        }
        finally
        {
            if (activity is { IsAllDataRequested: true })
            {
                var request = DomainRequest.Of(context);
                var route = $"/{{domainID}}{request.Endpoint?.Path}";
                activity.DisplayName = $"{context.Request.Method} {route}";
                activity.SetTag("http.route", route);
                activity.SetTag("cube.endpoint", request.Endpoint?.Name);
                activity.SetTag("cube.route", request.Route?.Name);
                activity.SetTag("cube.event_type", request.Route?.Definition.EventType);
                activity.SetTag("cube.domain.id", request.DomainId);
                activity.SetTag("enduser.id", request.Caller?.UserId);
            }
        }
    }
}
