using Cube.Proxy.Edge;
using Cube.ServiceDefaults.Errors;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;

namespace Cube.Proxy.Routing;

/// <summary>Looks at what of a body can be judged without reading it.</summary>
internal sealed class RouteStage(RequestDelegate next, IOptions<ProxyOptions> options)
{
    private readonly long _maxBody = options.Value.MaxRequestBodyBytes;

    public Task InvokeAsync(HttpContext context)
    {
        if (DomainRequest.Of(context).Endpoint!.Method == HttpMethods.Post)
        {
            if (!IsPlainJson(context.Request))
            {
                return OpenAiError.UnsupportedMediaType.WriteAsync(context);
            }

            if (context.Request.ContentLength > _maxBody)
            {
                context.Response.Headers.Connection = "close";
                return OpenAiError.RequestTooLarge.WriteAsync(context);
            }
        }

        return next(context);
    }

    private static bool IsPlainJson(HttpRequest request) =>
        request.Headers.ContentEncoding.Count == 0
        && MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
        && type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase);
}
