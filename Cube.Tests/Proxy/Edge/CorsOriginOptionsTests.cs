using Cube.Proxy.Edge;

namespace Cube.Tests.Proxy.Edge;

public sealed class CorsOriginOptionsTests
{
    [Theory]
    [InlineData("https://app.example.com", true)]
    [InlineData("http://localhost:5173", true)]
    [InlineData("*", false)]
    [InlineData("https://*.example.com", false)]
    [InlineData("null", false)]
    [InlineData("https://app.example.com/", false)]
    [InlineData("https://app.example.com/x", false)]
    [InlineData("https://App.example.com", false)]
    [InlineData("https://user@app.example.com", false)]
    [InlineData("https://app.example.com:443", false)]
    [InlineData("ftp://app.example.com", false)]
    public void An_origin_has_the_exact_form_that_browsers_send(string origin, bool isOrigin) => Assert.Equal(isOrigin, CorsOriginOptions.IsOrigin(origin));
}
