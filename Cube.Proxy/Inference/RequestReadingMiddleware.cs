using Cube.Inference;
using Cube.Inference.Errors;
using Cube.Inference.Translation;
using Cube.Proxy.Edge;
using Cube.Proxy.Limits;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Inference;

/// <summary>Parses the body and checks the rules of the endpoint that do not depend on the model server. Sets <see cref="InferenceRequest"/>.</summary>
internal sealed class RequestReadingMiddleware(RequestDelegate next, IOptions<ProxyOptions> options, IOptions<InFlightOptions> inFlight)
{
    private readonly RequestLimits _limits = new(inFlight.Value.JsonTokens, options.Value.MaxImages, options.Value.MaxImageMegapixels * 1_000_000L);

    public async Task InvokeAsync(HttpContext context)
    {
        var endpoint = context.GetForwardedEndpoint();
        var lease = context.Features.GetRequiredFeature<BodyLease>();
        try
        {
            var request = await ReadAsync(context, endpoint, lease);
            lease.Own(request);
            context.Features.Set(request);
            if (request.Ignored.ToHeader() is { } names)
            {
                context.Response.Headers[ResponseHeaders.Ignored] = names;
            }

            await next(context);
        }
        catch (RequestRejectedException rejected)
        {
            await endpoint.Request.ForClient(rejected.Error).WriteAsync(context);
        }
        finally
        {
            lease.Release();
        }
    }

    private async ValueTask<InferenceRequest> ReadAsync(HttpContext context, ForwardedEndpoint endpoint, BodyLease lease)
    {
        var body = context.Features.GetRequiredFeature<RequestBody>().Bytes;
        return endpoint.Request is JsonRequestTranslator translator
            ? JsonRequest.Read(body, translator, _limits, lease.Add)
            : await AudioFormReader.ReadAsync(body, context.Request.ContentType, context.RequestAborted);
    }
}
