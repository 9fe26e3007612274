using Cube.Proxy.Edge;
using Cube.Proxy.OpenAi.Requests.Audio;
using Cube.Proxy.Routing;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.OpenAi.Requests;

/// <summary>Reads the body strictly and holds it against the contract, as far as that does not depend on the model server.</summary>
internal sealed class RequestStage(RequestDelegate next, IOptions<ProxyOptions> options, IOptions<InFlightOptions> inFlight)
{
    private readonly int _mostTokens = inFlight.Value.JsonTokens;

    /// <summary>Names the members of a request that nobody knows. They go nowhere.</summary>
    public const string IgnoredHeader = "x-cube-ignored";

    public async Task InvokeAsync(HttpContext context)
    {
        var request = DomainRequest.Of(context);
        if (request.Body is not { } body)
        {
            await next(context);
            return;
        }

        try
        {
            if (request.Endpoint!.Kind == EndpointKind.Audio)
            {
                var form = await AudioForm.ReadAsync(body.Bytes, context.Request.ContentType, context.RequestAborted);
                TellIgnored(context, form.Ignored);
                (request.Form, request.Wanted) = (form, new ClientRequest { Model = form.Model, IsStream = form.IsStream });
                await next(context);
                return;
            }

            request.Json = StrictJson.Parse(body.Bytes, _mostTokens, request.Lease);
            var shape = RequestShapes.Of(request.Endpoint);
            var ignored = new IgnoredMembers();
            shape.Check(request.Json.RootElement, ignored, new ImageAllowance(options.Value.MaxImages, options.Value.MaxImageMegapixels * 1_000_000L));
            TellIgnored(context, ignored);
            request.Wanted = shape.Read(request.Json.RootElement);
            await next(context);
        }
        catch (RefusedException refused)
        {
            await ClientParams.In(request.Endpoint!, refused.Error).WriteAsync(context);
        }
        finally
        {
            request.ReleaseBody();
        }
    }

    private static void TellIgnored(HttpContext context, IgnoredMembers ignored)
    {
        if (ignored.ToHeader() is { } names)
        {
            context.Response.Headers[IgnoredHeader] = names;
        }
    }
}
