using System.ComponentModel.DataAnnotations;
using System.Net.Mail;
using Cube.Identity.Configuration;
using Cube.ServiceDefaults.Hosting;
using Microsoft.Extensions.Options;

namespace Cube.Identity.Mail;

/// <summary>The section <c>Mail</c>: an SMTP server, or in Development a directory. With neither, endpoints that need e-mail answer 503.</summary>
internal sealed class MailOptions
{
    public const string Section = "Mail";

    internal const string SecurityMessage = "Mail__Security must be starttls or tls.";

    /// <summary>The host name of the SMTP server.</summary>
    public string Host { get; set; } = "";

    /// <summary>The port of the SMTP server: usually 587 for <c>starttls</c> and 465 for <c>tls</c>.</summary>
    [SettingRange("Mail__Port", 1, 65_535)]
    public int Port { get; set; } = 587;

    /// <summary><c>starttls</c>, <c>tls</c>, or outside of Production <c>none</c>.</summary>
    [Required(ErrorMessage = SecurityMessage)]
    [RegularExpression("starttls|tls|none", ErrorMessage = SecurityMessage)]
    public string Security { get; set; } = "starttls";

    public string Username { get; set; } = "";

    public string Password { get; set; } = "";

    /// <summary>The sender address.</summary>
    public string From { get; set; } = "";

    /// <summary>A directory in which each e-mail becomes a file instead of being sent. Not allowed in Production, because e-mails contain tokens.</summary>
    public string Directory { get; set; } = "";

    /// <summary>The public base URL of the proxy for links in e-mails, such as <c>https://cube.example.com</c>.</summary>
    public string LinkBase { get; set; } = "";

    public bool IsConfigured => Host.Length > 0 || Directory.Length > 0;
}

[OptionsValidator]
internal sealed partial class MailOptionsValidator : IValidateOptions<MailOptions>;

/// <summary>The rules that concern several settings or the environment.</summary>
internal sealed class MailOptionsCustomValidator(IHostEnvironment environment, IOptions<IdentityOptions> identity) : IValidateOptions<MailOptions>
{
    public ValidateOptionsResult Validate(string? name, MailOptions options)
    {
        var errors = new ValidateOptionsResultBuilder();
        if (!options.IsConfigured)
        {
            if (identity.Value.SelfRegistration)
            {
                errors.AddError("Identity__SelfRegistration requires e-mail to verify accounts: set Mail__Host.");
            }

            return errors.Build();
        }

        if (options.Directory.Length > 0 && environment.IsProduction())
        {
            errors.AddError("Mail__Directory is for development only: set Mail__Host in Production.");
        }

        if (options.Security == "none" && environment.IsProduction())
        {
            errors.AddError(MailOptions.SecurityMessage);
        }

        if (!MailAddress.TryCreate(options.From, out _))
        {
            errors.AddError("Mail__From must be the e-mail address of the sender.");
        }

        if (!Uri.TryCreate(options.LinkBase, UriKind.Absolute, out var link) || link.Scheme is not ("http" or "https"))
        {
            errors.AddError("Mail__LinkBase must be the public base URL of the proxy, such as https://cube.example.com.");
        }

        return errors.Build();
    }
}
