using System.Text;
using Cube.Proxy.Edge;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace Cube.Tests.Proxy.Edge;

public sealed class DomainErrorMiddlewareTests
{
    [Fact]
    [Trait("Conformance", "ER-14")]
    public async Task An_internal_error_is_a_500_that_reveals_no_detail()
    {
        var context = new DefaultHttpContext { Request = { Path = $"/{Guid.NewGuid()}/v1/models" }, Response = { Body = new MemoryStream() } };
        await new DomainErrorMiddleware(static _ => throw new InvalidOperationException("secret-of-the-stack"), NullLogger<DomainErrorMiddleware>.Instance).InvokeAsync(context);
        await context.Response.BodyWriter.FlushAsync();
        var body = Encoding.UTF8.GetString(((MemoryStream)context.Response.Body).ToArray());
        Assert.Equal((500, """{"error":{"message":"Cube failed to handle the request.","type":"server_error","param":null,"code":"internal_error"}}""", "1"), (context.Response.StatusCode, body, context.Response.Headers.RetryAfter.ToString()));
    }
}
