using Cube.Inference;
using Cube.Inference.Errors;
using Cube.Proxy.Configuration;
using Cube.Proxy.Configuration.Routes;
using Cube.Proxy.Edge;
using Cube.Proxy.Limits;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.Features;

namespace Cube.Proxy.Inference;

/// <summary>Reads the body of a forwarded request and finds the route. Sets <see cref="RequestBody"/> and <see cref="Route"/>.</summary>
internal sealed class RouteMiddleware(RequestDelegate next, ProxyConfigurationProvider configuration)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var lease = context.Features.GetRequiredFeature<BodyLease>();
        RequestBody? body = null;
        try
        {
            if (context.GetEndpoint()?.Metadata.GetMetadata<ForwardedEndpoint>() is not null)
            {
                body = await RequestBody.ReadAsync(context.Request, lease, context.RequestAborted);
                lease.Own(body);
                context.Features.Set(body);
            }
        }
        catch (RequestRejectedException rejected)
        {
            // The rest of the body is not read, so the connection cannot be reused.
            lease.Release();
            context.Response.Headers.Connection = "close";
            await rejected.Error.WriteAsync(context);
            return;
        }

        var request = new RouteRequest(context.Request, context.Features.GetRequiredFeature<DomainPathFeature>(), body?.Bytes ?? default);
        if (configuration.Current.Routes.Find(request) is not { } route)
        {
            lease.Release();
            await OpenAiError.NoRoute.WriteAsync(context);
            return;
        }

        context.Features.Set(route);
        await next(context);
    }
}
