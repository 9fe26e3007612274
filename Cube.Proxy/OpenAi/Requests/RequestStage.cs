using Cube.Proxy.Edge;

namespace Cube.Proxy.OpenAi.Requests;

/// <summary>Reads the body strictly and holds it against the contract, as far as that does not depend on the model server.</summary>
internal sealed class RequestStage(RequestDelegate next)
{
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
            request.Json = StrictJson.Parse(body.Bytes);
            var shape = RequestShapes.Of(request.Endpoint!);
            if (shape.Check(request.Json.RootElement) is { } ignored)
            {
                context.Response.Headers[IgnoredHeader] = ignored;
            }

            request.Wanted = shape.Read(request.Json.RootElement);
            await next(context);
        }
        catch (RefusedException refused)
        {
            await refused.Error.WriteAsync(context);
        }
        finally
        {
            request.ReleaseBody();
        }
    }
}
