using Cube.Proxy.Attestation.Policies;
using Cube.Proxy.Edge;
using Cube.Proxy.OpenAi.Requests;
using Cube.ServiceDefaults.Errors;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;

namespace Cube.Proxy.Routing;

/// <summary>Looks at what of a body can be judged without understanding it, and finds the route that the request takes.</summary>
internal sealed class RouteStage(RequestDelegate next, PoliciesInForce inForce, IOptions<ProxyOptions> options)
{
    private readonly long _maxBody = options.Value.MaxRequestBodyBytes;

    public async Task InvokeAsync(HttpContext context)
    {
        var request = DomainRequest.Of(context);
        var endpoint = request.Endpoint!;
        if (endpoint.HasBody && !IsPlain(context.Request, endpoint.Kind == EndpointKind.Audio ? "multipart/form-data" : "application/json"))
        {
            await (endpoint.Kind == EndpointKind.Audio ? OpenAiError.UnsupportedFormType : OpenAiError.UnsupportedMediaType).WriteAsync(context);
            return;
        }

        if (endpoint.HasBody && context.Request.ContentLength > _maxBody)
        {
            context.Response.Headers.Connection = "close";
            await OpenAiError.RequestTooLarge.WriteAsync(context);
            return;
        }

        try
        {
            request.Body = endpoint.HasModelBody ? await RequestBody.ReadAsync(context.Request, request.Lease!, context.RequestAborted) : null;
            request.Route = inForce.Current.Routes.Find(new RouteRequest(context, request, request.Body?.Bytes ?? default));
        }
        catch (RefusedException refused)
        {
            request.ReleaseBody();
            context.Response.Headers.Connection = "close";
            await refused.Error.WriteAsync(context);
            return;
        }
        catch
        {
            request.ReleaseBody();
            throw;
        }

        if (request.Route is null)
        {
            request.ReleaseBody();
            await OpenAiError.NoRoute.WriteAsync(context);
            return;
        }

        await next(context);
    }

    private static bool IsPlain(HttpRequest request, string expected) =>
        !IsEncoded(request)
        && MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
        && type.MediaType.Equals(expected, StringComparison.OrdinalIgnoreCase);

    /// <summary><c>identity</c> says that nothing is encoded.</summary>
    private static bool IsEncoded(HttpRequest request) =>
        request.Headers.GetCommaSeparatedValues(HeaderNames.ContentEncoding).Any(static coding => !coding.Trim().Equals("identity", StringComparison.OrdinalIgnoreCase));
}
