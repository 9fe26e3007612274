namespace Cube.Proxy.Edge;

/// <summary>Holds one request of the budget from the moment its caller and domain are known until its answer has ended.</summary>
internal sealed class InFlightStage(RequestDelegate next, InFlight inFlight)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var request = DomainRequest.Of(context);
        var (domain, caller) = (request.DomainId, request.Caller!.UserId);
        if (inFlight.TryBeginRequest(domain, caller) is { } refusal)
        {
            await refusal.WriteAsync(context);
            return;
        }

        try
        {
            request.Lease = new BodyLease(inFlight, domain, caller);
            await next(context);
        }
        finally
        {
            request.ReleaseBody();
            inFlight.EndRequest(domain, caller);
        }
    }
}
